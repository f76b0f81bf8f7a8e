"""What training rows cover: every row described along the axes, counted, and given as shares with intervals.

A row that cannot be read is counted beside the shares and never in them. Where a rule cannot tell, the row stands at
``unclear``, in the denominator, and ``ceiling`` says what the share were if all of those stood at the level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from teachwhy.core.records import Record
from teachwhy.core.stats.rates import SMALL, interval
from teachwhy.diagnosis.counting import Count, count_files, count_rows
from teachwhy.diagnosis.describe import UNCLEAR, all_axes

Step = Callable[[int, int], None]
"""Told how much is done, and of how much."""


class Share(Record):
    """How many rows stand at one level of an axis; 95% interval, as of a sample from rows like these."""

    axis: str
    level: str
    rows: int
    of: int
    """All rows that could be read."""
    share: float | None
    """None where no row could be read."""
    low: float
    high: float
    ceiling: float
    """The share if every row that is ``unclear`` on this axis stood at this level."""


class Covered(Record):
    """Rows of one source."""

    name: str
    rows: int
    """Those that could be read."""
    unreadable: int
    """Lines that are no rows, and rows with nothing in them."""
    shares: tuple[Share, ...]
    """Every level of every axis, in the order of ``axes.yaml``; of one axis they add up to 1."""
    reasons: dict[str, int] = Field(default_factory=dict[str, int])
    """Why rows could not be read, to how many."""

    def at(self, axis: str, level: str) -> Share:
        """The share at one level. Raises KeyError for what there is not."""
        for share in self.shares:
            if (share.axis, share.level) == (axis, level):
                return share
        raise KeyError((axis, level))

    def along(self, axis: str) -> tuple[Share, ...]:
        """The shares of one axis."""
        return tuple(share for share in self.shares if share.axis == axis)


class Coverage(Covered):
    """All rows together, and each file for itself."""

    files: tuple[Covered, ...] = ()


def cover(files: Sequence[Path], *, workers: int | None = None, step: Step | None = None) -> Coverage:
    """Describe all rows of files (JSON lines, gzipped or not, and Parquet) or of folders of such files.

    One piece of a file at a time is in memory, in each of ``workers`` processes (one for each core unless said
    otherwise; never more than there are pieces). The result does not depend on how many. Raises ConfigError for a path
    without rows or a Parquet file that is broken.
    """
    counts = count_files(files, workers, step)
    whole = Count()
    for count in counts.values():
        whole.add(count)
    parts = tuple(_covered(name, count) for name, count in counts.items())
    return Coverage(**dict(_covered("all", whole)), files=parts)


def profile(rows: Iterable[Mapping[str, Any]], name: str = "profile") -> Coverage:
    """The same over rows that are at hand, such as scenes turned to rows."""
    return Coverage(**dict(_covered(name, count_rows(rows))))


def _covered(name: str, count: Count) -> Covered:
    shares = [share for axis, levels in all_axes().items() for share in _shares(axis, levels, count)]
    return Covered(
        name=name, rows=count.rows, unreadable=count.unreadable, shares=tuple(shares), reasons=dict(count.reasons)
    )


def _shares(axis: str, levels: Sequence[str], count: Count) -> Iterable[Share]:
    unclear = count.levels[axis, UNCLEAR]
    for level in levels:
        rows = count.levels[axis, level]
        low, high = interval(rows, count.rows, small=count.rows < SMALL) if count.rows else (0.0, 1.0)
        share = rows / count.rows if count.rows else None
        most = rows if level == UNCLEAR else rows + unclear
        yield Share(
            axis=axis,
            level=level,
            rows=rows,
            of=count.rows,
            share=share,
            low=min(low, share or 0.0),
            high=max(high, share or 0.0),
            ceiling=most / count.rows if count.rows else 1.0,
        )
