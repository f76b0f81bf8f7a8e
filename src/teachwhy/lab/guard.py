"""The guard between training data and measurement: canaries, shared 13-grams, held-out families."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import CANARY
from teachwhy.core.records import Example

GRAM = 13
"""Words in a row that training and measured text may not share."""

_WORD = re.compile(r"\w+")
_CANARY_KEY = CANARY.split(":", maxsplit=1)[0].lower()


def guard(rows: Sequence[Example], measured: Mapping[str, str], held_out: Collection[str]) -> None:
    """Refuse rows that leak what is measured.

    ``measured`` is file name to text. Raises ConfigError naming the first row that carries the canary, comes from a
    held-out family, or shares 13 words in a row with a measured file.
    """
    grams = {gram: name for name, text in measured.items() for gram in _grams(text)}
    for row in rows:
        if row.family in held_out:
            raise ConfigError(f"row {row.id} trains on the held-out family {row.family!r}; take it out of the arm")
        text = _text(row)
        if _CANARY_KEY in text.lower():
            raise ConfigError(f"row {row.id} carries the canary of measured text; take it out of the arm")
        for gram in _grams(text):
            if gram in grams:
                raise ConfigError(
                    f"row {row.id} shares {GRAM} words with {grams[gram]}: {gram!r}; take it out of the arm"
                )


def _text(row: Example) -> str:
    parts = [row.text or ""]
    for message in row.messages:
        parts.append(message.content)
        parts.extend(str(value) for entry in message.tool_calls for value in entry["function"]["arguments"].values())
    parts.extend(str(tool.get("function", tool).get("description", "")) for tool in row.tools)
    return "\n".join(parts)


def _grams(text: str) -> Iterator[str]:
    words = _WORD.findall(text.lower())
    for at in range(len(words) - GRAM + 1):
        yield " ".join(words[at : at + GRAM])
