"""Counts the levels at which rows stand, file by file, over several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from teachwhy.core.shards import Shard, UnreadableRowError, find_shards, parse, read_raw
from teachwhy.diagnosis.describe import describe
from teachwhy.diagnosis.rows import COLUMNS

_MOST_WORKERS = 8

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Spread(Protocol):
    """Does the same to many things, in their order."""

    def __call__(self, work: Callable[[_In], _Out], things: Sequence[_In], /) -> Iterator[_Out]: ...  # noqa: D102


@dataclass
class Count:
    """What some rows came to; counts add up."""

    rows: int = 0
    unreadable: int = 0
    levels: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """(axis, level) to rows."""
    reasons: Counter[str] = field(default_factory=Counter[str])

    def take(self, raw: bytes | Mapping[str, Any]) -> None:
        """Describe one row and count it."""
        try:
            levels = describe(parse(raw))
        except UnreadableRowError as error:
            self.unreadable += 1
            # where in the line it is no JSON differs from line to line
            self.reasons[str(error).partition(":")[0]] += 1
            return
        self.rows += 1
        self.levels.update(levels.items())

    def add(self, other: Count) -> None:
        """Take another's rows in."""
        self.rows += other.rows
        self.unreadable += other.unreadable
        self.levels.update(other.levels)
        self.reasons.update(other.reasons)


def count_rows(rows: Iterable[Mapping[str, Any]]) -> Count:
    """What rows at hand come to."""
    count = Count()
    for row in rows:
        count.take(row)
    return count


def count_files(
    files: Sequence[Path], workers: int | None = None, step: Callable[[int, int], None] | None = None
) -> dict[str, Count]:
    """File to what its rows come to, in the order given. Raises ConfigError."""
    shards = all_shards(files)
    names = name_files([shard.file for shard in shards])
    counts: dict[str, Count] = {}
    total, done = sum(shard.size for shard in shards), 0
    with spread(len(shards), workers) as run:
        for shard, count in zip(shards, run(count_shard, shards), strict=True):
            counts.setdefault(names[shard.file], Count()).add(count)
            done += shard.size
            if step is not None:
                step(done, total)
    return counts


def all_shards(files: Iterable[Path]) -> list[Shard]:
    """The pieces of files and folders, in order, each once. Raises ConfigError."""
    return list(dict.fromkeys(shard for path in files for shard in find_shards(path)))


def count_shard(shard: Shard) -> Count:
    """What a piece of a file comes to."""
    count = Count()
    for _, raw in read_raw(shard, COLUMNS):
        count.take(raw)
    return count


@contextmanager
def spread(pieces: int, workers: int | None) -> Generator[Spread]:
    """Workers, one for each core unless said otherwise; none where there is one piece only."""
    workers = min(workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS), pieces)
    if workers <= 1:
        yield map
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield pool.map


def name_files(files: Sequence[Path]) -> dict[Path, str]:
    """A name for each file: its own, or with its folder's where two are alike."""
    distinct = dict.fromkeys(files)
    count = Counter(file.name for file in distinct)
    return {file: file.name if count[file.name] == 1 else str(file) for file in distinct}
