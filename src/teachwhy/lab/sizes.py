"""How people write things in an experiment file: tokens, shares, one thing or several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, cast

from pydantic import BeforeValidator, Field

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")
_SHARES: Mapping[str | bool, float] = {True: 1.0, False: 0.0, "half": 0.5}


def read_tokens(value: object) -> object:
    """``20k`` -> 20000, ``1.5M`` -> 1500000; numbers stay, other things are left for pydantic to refuse."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    return round(float(match.group(1)) * {"": 1, "k": 1_000, "M": 1_000_000}[match.group(2)])


def _read_share(value: object) -> object:
    """``half`` -> 0.5, ``true`` -> 1.0; numbers stay, other things are left for pydantic to refuse."""
    return _SHARES.get(value, value) if isinstance(value, str | bool) else value


def read_list(value: object) -> object:
    """One thing stands for a list of one."""
    return cast("object", value) if isinstance(value, list | tuple) else [value]


Tokens = Annotated[int, BeforeValidator(read_tokens), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_read_share), Field(ge=0, le=1)]
