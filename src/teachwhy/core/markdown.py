"""Markdown with front matter, read strictly: sections by heading, placeholders, the canary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import yaml

from teachwhy.core.errors import ConfigError, guess

CANARY = "teachwhy-canary 5f0c7b1e-8a1d-4d6e-9b57-2c3a90e4d718: measured text, never training data"
"""Stands in every measured scene; text that carries it must not be trained on."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^# +(.+?)\s*$", re.MULTILINE)
_SLOT = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def split_front_matter(text: str, where: str) -> tuple[dict[str, Any], str]:
    """Split a file into its YAML front matter and its body.

    Raises ConfigError, naming ``where``, when the front matter is missing or is no mapping.
    """
    match = _FRONT.match(text)
    if match is None:
        raise ConfigError(f"{where}: no front matter; begin the file with a block between two lines '---'")
    return load_mapping(match.group(1), where), match.group(2)


def load_mapping(text: str, where: str) -> dict[str, Any]:
    """Parse YAML that must be a mapping; ConfigError in one line otherwise."""
    data = load_yaml(text, where)
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping of names to values, found {type(data).__name__}")
    return cast("dict[str, Any]", data)


def load_yaml(text: str, where: str) -> object:
    """Parse YAML of any shape; ConfigError in one line when it does not parse."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader, in C where there is one)
    except (yaml.YAMLError, ValueError) as error:  # PyYAML lets the ValueError of an impossible date through
        raise ConfigError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None


def sections(body: str) -> list[tuple[str, str]]:
    """The ``# Heading`` sections of a body, in order, as (heading, stripped text)."""
    marks = list(_HEADING.finditer(body))
    ends = [*(mark.start() for mark in marks[1:]), len(body)]
    return [(mark.group(1), body[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=False)]


def fill(text: str, values: Mapping[str, str], where: str) -> str:
    """Fill every ``{slot}`` in one pass, so that filled text can never fill another slot.

    Raises ConfigError for a slot without a value.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            raise ConfigError(f"{where}: nothing to fill {{{name}}} with; {guess(name, values)}")
        return values[name]

    return _SLOT.sub(value, text)


def slug(text: str) -> str:
    """``Telling the truth!`` -> ``telling-the-truth``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
