"""The guard between training data and measurement: canaries, shared 13-grams, held-out families."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from teachwhy.core.errors import ConfigError
from teachwhy.core.grams import GRAM, carries_canary
from teachwhy.core.records import Example
from teachwhy.lab.health.leakage import Measured

__all__ = ["GRAM", "guard"]


def guard(rows: Sequence[Example], measured: Mapping[str, str], held_out: Collection[str]) -> None:
    """Refuse rows that leak what is measured.

    ``measured`` is file name to text. Raises ConfigError naming the first row that carries the canary, comes from a
    held-out family, or shares 13 words in a row with a measured file.
    """
    texts = Measured(measured)
    for row in rows:
        if row.family in held_out:
            raise ConfigError(f"row {row.id} trains on the held-out family {row.family!r}; take it out of the arm")
        text = row.said()
        if carries_canary(text):
            raise ConfigError(f"row {row.id} carries the canary of measured text; take it out of the arm")
        leak = texts.leak(text)
        if leak is not None:
            raise ConfigError(
                f"row {row.id} shares {GRAM} words with {leak.file}: {leak.words!r}; take it out of the arm"
            )
