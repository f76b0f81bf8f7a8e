"""The work on pieces of the rows, spread over processes; a single piece is worked on in this one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from teachwhy.core.grams import WordHashes, distinct
from teachwhy.lab.health.duplicates import Shingles
from teachwhy.lab.health.layout import lay_out
from teachwhy.lab.health.part import Part
from teachwhy.lab.health.rows import Row
from teachwhy.lab.health.scan import Scanner, Settings, shingle
from teachwhy.lab.health.shards import Shard, read_shard

_MOST_WORKERS = 8


class Again(NamedTuple):
    """Rows of a piece that are to be read again, by their numbers in the file."""

    shard: Shard
    named: frozenset[int]
    compared: frozenset[int]
    """Those of which the shingles are wanted as well."""


class Reread(NamedTuple):
    """What a second reading gave, by number in the file."""

    names: dict[int, str]
    shingles: dict[int, Shingles]


class Work:
    """Does the same to many pieces, in their order."""

    def __init__(self, settings: Settings, pool: ProcessPoolExecutor | None) -> None:
        self._settings = settings
        self._pool = pool

    def scan(self, shards: Sequence[Shard]) -> Iterator[Part]:
        """What each piece holds."""
        if self._pool is not None:
            return self._pool.map(_scan, shards)
        return map(Scanner(self._settings).scan, shards)

    def read_again(self, wanted: Sequence[Again]) -> Iterator[Reread]:
        """The rows that are wanted of each piece."""
        if self._pool is not None:
            return self._pool.map(_read_again, wanted)
        return map(_read_again, wanted)


@contextmanager
def working(settings: Settings, shards: int, workers: int | None) -> Generator[Work]:
    """Workers, one for each core unless said otherwise; none where there is one piece only."""
    workers = min(workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS), shards)
    if workers <= 1:
        yield Work(settings, None)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (settings,)) as pool:
        yield Work(settings, pool)


_scanner: list[Scanner] = []


def _start(settings: Settings) -> None:
    os.environ["RAYON_NUM_THREADS"] = "1"  # the workers are the threads
    _scanner.append(Scanner(settings))


def _scan(shard: Shard) -> Part:
    return _scanner[0].scan(shard)


def _read_again(wanted: Again) -> Reread:
    got = Reread({}, {})
    hashes = WordHashes()
    for number, row in read_shard(wanted.shard, wanted.named | wanted.compared):
        if isinstance(row, Row):
            got.names[number] = row.name
            if number in wanted.compared:
                shingles, _ = shingle(lay_out([row], hashes))
                got.shingles[number] = distinct(shingles.astype(np.uint32))
    return got
