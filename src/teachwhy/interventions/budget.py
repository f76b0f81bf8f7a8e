"""Rows up to a budget of tokens: the same rule for every intervention, so that arms are matched."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Record

Count = Callable[[Example], int]
"""Tokens of a row, as the trained model's tokenizer and template count them."""


class Built(Record):
    """What an intervention made: the rows it kept, and how many it dropped for which reason."""

    rows: tuple[Example, ...]
    dropped: dict[str, int]
    tokens: int
    notes: dict[str, Any] = Field(default_factory=dict[str, Any])
    """What was proved of them."""


def fill_budget(rows: Sequence[Example], tokens: int, count: Count, seed: int) -> Built:
    """Rows in an order that the seed decides, until the next one would pass the budget.

    A library smaller than the budget is gone through once: rows are never repeated to look like more. Raises
    ConfigError when not even one row fits.
    """
    order = sorted(rows, key=lambda row: row.id)
    random.Random(f"budget/{seed}").shuffle(order)
    kept: list[Example] = []
    used = 0
    for row in order:
        size = count(row)
        if used + size <= tokens:
            kept.append(row)
            used += size
    if not kept:
        raise ConfigError(f"a budget of {tokens} tokens holds no row of {rows[0].intervention if rows else 'nothing'}")
    left = len(order) - len(kept)
    return Built(rows=tuple(kept), dropped={"beyond the token budget": left} if left else {}, tokens=used)
