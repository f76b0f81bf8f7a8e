"""Regular expressions as people write them: in YAML, with ``{name}`` for a part that stands in several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from teachwhy.core.markdown import fill


def compile_all(patterns: Iterable[str], parts: Mapping[str, str], where: str) -> list[re.Pattern[str]]:
    """The patterns with their parts filled in, upper and lower case alike; a part may name another.

    Raises ConfigError, naming ``where``, for a part that there is not.
    """
    groups = {name: f"(?:{part})" for name, part in parts.items()}
    return [re.compile(fill(fill(pattern, groups, where), groups, where), re.IGNORECASE) for pattern in patterns]
