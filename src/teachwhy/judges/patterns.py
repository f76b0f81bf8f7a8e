"""Regular expressions as people write them: in YAML, with ``{name}`` for a part that stands in several."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import fill


def compile_all(patterns: Iterable[str], parts: Mapping[str, str], where: str) -> list[re.Pattern[str]]:
    """The patterns with their parts filled in, upper and lower case alike; a part may name others.

    Raises ConfigError, naming ``where``, for a part that there is not.
    """
    groups = {name: f"(?:{part})" for name, part in parts.items()}
    return [re.compile(_filled(pattern, groups, where), re.IGNORECASE) for pattern in patterns]


def _filled(pattern: str, groups: Mapping[str, str], where: str) -> str:
    for _ in range(len(groups) + 1):  # as deep as parts can lie in parts
        before, pattern = pattern, fill(pattern, groups, where)
        if pattern == before:
            return pattern
    raise ConfigError(f"{where}: a part names itself, in {pattern[:60]!r}; write it out")
