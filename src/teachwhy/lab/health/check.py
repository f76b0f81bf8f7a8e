"""``teachwhy check``: reads the rows, holds them against all that is measured, and puts the figures together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from teachwhy.constitution import Constitution
from teachwhy.core.errors import ConfigError
from teachwhy.lab.health.duplicates import Pair, Shingles, candidates, equal_rows, join_all, verify
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.lab.health.figures import Alike, Duplicates, Health
from teachwhy.lab.health.part import Part, merge
from teachwhy.lab.health.scan import Settings
from teachwhy.lab.health.shards import Shard, find_shards
from teachwhy.lab.health.summary import summarise
from teachwhy.lab.health.work import Again, Work, working

_COUNTED_BYTES = 1 << 25

Told = Callable[[str], None]
"""Called with what is being done."""


def check(
    path: Path,
    constitution: Constitution,
    held_out: frozenset[str],
    *,
    max_length: int | None = None,
    workers: int | None = None,
    told: Told = lambda _: None,
) -> Health:
    """The health of the rows at a path, read in ``workers`` processes, one for each core by default.

    Raises ConfigError where there are no rows that can be read.
    """
    shards = find_shards(path)
    size = sum(shard.size for shard in shards)
    settings = Settings(
        measured=all_measured_text(),
        held_out=held_out,
        max_length=max_length,
        sampled_bits=(size // _COUNTED_BYTES).bit_length(),
    )
    with working(settings, len(shards), workers) as work:
        parts: list[Part] = []
        for part in work.scan(shards):
            parts.append(part)
            told(f"read {len(parts)} of {len(shards)} pieces")
        whole = merge(parts) if parts else None
        if whole is None or not len(whole.numbers):
            raise ConfigError(_nothing_read(path, whole))
        told("comparing rows with one another")
        place = _Places(shards, [len(part.numbers) for part in parts], whole)
        duplicates = _duplicates(whole, place, work)
    return summarise(whole, duplicates, constitution, settings, tuple(dict.fromkeys(s.file.name for s in shards)))


def _nothing_read(path: Path, whole: Part | None) -> str:
    if whole is None or not whole.breaches:
        return f"no rows in {path}; give a .jsonl or .parquet file, or a folder that holds some"
    first = whole.breaches[0]
    return f"none of the rows in {path} can be read; the first, {first.row}: {first.what}"


class _Places:
    """Where each row stands: from its place among all rows to its piece and its number in the file."""

    def __init__(self, shards: Sequence[Shard], sizes: Sequence[int], whole: Part) -> None:
        self._shards = shards
        self._ends = np.cumsum(sizes)
        self._numbers = whole.numbers

    def read_again(self, work: Work, named: set[int], compared: set[int]) -> tuple[dict[int, str], dict[int, Shingles]]:
        """The names of rows, and the shingles of those that are to be compared."""
        rows = np.array(sorted(named | compared), dtype=np.int64)
        places: dict[int, dict[int, int]] = {}
        for row, shard in zip(rows.tolist(), np.searchsorted(self._ends, rows, side="right").tolist(), strict=True):
            places.setdefault(shard, {})[int(self._numbers[row])] = row
        wanted = [
            Again(self._shards[shard], frozenset(rows), frozenset(n for n, row in rows.items() if row in compared))
            for shard, rows in places.items()
        ]
        names: dict[int, str] = {}
        shingles: dict[int, Shingles] = {}
        for numbers, reread in zip(places.values(), work.read_again(wanted), strict=True):
            names |= {numbers[number]: name for number, name in reread.names.items()}
            shingles |= {numbers[number]: them for number, them in reread.shingles.items()}
        return names, shingles


def _duplicates(whole: Part, places: _Places, work: Work) -> Duplicates:
    equal = equal_rows(whole.whole)
    kept = np.ones(len(whole.whole), dtype=np.bool_)
    kept[[row for group in equal for row in group[1:]]] = False
    pairs = candidates(whole.signatures, np.flatnonzero(kept))
    compared = {row for pair in pairs for row in (pair.first, pair.second)}
    names, shingles = places.read_again(work, {row for group in equal for row in group}, compared)
    near = verify(pairs, shingles)
    groups = join_all(near)
    return Duplicates(
        exact_groups=tuple(tuple(names[row] for row in group) for group in equal),
        exact_surplus=int((~kept).sum()),
        near_groups=len(groups),
        near_rows=sum(map(len, groups)),
        near_surplus=sum(map(len, groups)) - len(groups),
        largest_near_group=len(groups[0]) if groups else 0,
        near_pairs=tuple(_named(pair, names) for pair in near),
    )


def _named(pair: Pair, names: dict[int, str]) -> Alike:
    return Alike(first=names[pair.first], second=names[pair.second], similarity=round(pair.similarity, 4))
