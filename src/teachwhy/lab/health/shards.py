"""Pieces of files of rows, read as the check sees them, and a few rows from all over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from teachwhy.core.shards import Shard, UnreadableRowError, find_shards, parse, read_raw
from teachwhy.lab.health.rows import Row, read_row

__all__ = ["Shard", "Unread", "find_shards", "read_shard", "read_spread", "slices"]

_COLUMNS = (
    *("id", "text", "messages", "prompt", "completion", "tools"),
    *("family", "intervention", "clauses", "tokens"),
)


class Unread(NamedTuple):
    """A row that cannot be read, and why."""

    name: str
    why: str


def read_shard(shard: Shard, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Row | Unread]]:
    """(number in the file, row) of a piece, or of the numbers ``wanted`` in it. Raises ConfigError."""
    for number, raw in read_raw(shard, _COLUMNS):
        if wanted is None or number in wanted:
            place = f"{shard.file.name}:{number}"
            try:
                yield number, read_row(parse(raw), place)
            except UnreadableRowError as error:
                yield number, Unread(place, str(error))


def read_spread(shards: Sequence[Shard], count: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, row as it was given) of a few rows from all over, those that are no rows left out. Raises ConfigError."""
    ends = np.cumsum([shard.rows for shard in shards])
    for target in sorted({at * int(ends[-1]) // count for at in range(count)}):
        shard = shards[int(np.searchsorted(ends, target, side="right"))]
        number = target - (int(ends[shards.index(shard)]) - shard.rows) + shard.first
        for at, raw in read_raw(shard, _COLUMNS):
            if at >= number:
                with suppress(UnreadableRowError):
                    yield f"{shard.file.name}:{at}", parse(raw)
                break


def slices(
    rows: Iterator[tuple[int, Row | Unread]], count: int, letters: int
) -> Iterator[list[tuple[int, Row | Unread]]]:
    """Rows in runs of at most ``count``, ended sooner by ``letters`` of text, so that long texts do not fill memory."""
    run: list[tuple[int, Row | Unread]] = []
    held = 0
    for number, row in rows:
        run.append((number, row))
        held += sum(len(text) for _, text in row.texts) if isinstance(row, Row) else 0
        if len(run) == count or held >= letters:
            yield run
            run, held = [], 0
    if run:
        yield run
