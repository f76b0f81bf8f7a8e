"""What a report's tables hold: columns, cells, rows, contrasts, a sheet for each instrument or eval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from teachwhy.core.records import Record, Split, Verdict

START = "start"
"""The row of the model before any arm."""
HONEYPOTS = "honeypots"
LEVEL = 0.05
"""A p value below this counts."""

Kind = Literal["harm", "gap", "done", "chat", "void", "other"]
Role = Literal["start", "control", "arm"]


class Column(Record):
    """One thing measured on every checkpoint."""

    key: str
    title: str
    about: str
    kind: Kind
    split: Split | None = None
    """None for both splits together."""
    family: str | None = None
    instrument: str = ""
    """As the next three: for columns of the kind ``other`` alone, which hold one dimension of an eval."""
    dimension: str = ""
    side: str = ""
    condition: str = ""


class Cell(Record):
    """One number with what it rests on."""

    value: float | None
    """None where nothing could be judged."""
    low: float
    high: float
    floor: float
    """The rate if every void had been 0."""
    ceiling: float
    """The rate if every void had been 1."""
    judged: int
    void: int
    scenes: int
    seeds: tuple[float | None, ...]
    """The same number seed by seed, in the row's order of seeds."""

    @property
    def spread(self) -> float | None:
        """Largest minus smallest over seeds; None with fewer than two."""
        return _spread(self.seeds)


class Row(Record):
    """One checkpoint, or one arm over its seeds."""

    arm: str
    role: Role
    seeds: tuple[int, ...]
    cells: dict[str, Cell]
    """By the key of the column."""


class Contrast(Record):
    """An arm minus what it is read against, paired by scene, in one column."""

    arm: str
    against: str
    key: str
    value: float | None
    low: float
    high: float
    scenes: int
    p: float
    holm: float | None
    """``p`` corrected over the arms; None where the contrast belongs to no family of comparisons."""
    error: float | None
    """Standard error over scenes; None where it cannot be estimated."""
    seeds: tuple[float | None, ...]

    @property
    def spread(self) -> float | None:
        """Largest minus smallest over seeds; None with fewer than two."""
        return _spread(self.seeds)

    @property
    def falls(self) -> bool:
        """Whether a fall is established: interval, corrected p, and no seed the other way."""
        return self.high < 0 and self._sure and all(value is None or value < 0 for value in self.seeds)

    @property
    def rises(self) -> bool:
        """Whether a rise is established, in the same way."""
        return self.low > 0 and self._sure and all(value is None or value > 0 for value in self.seeds)

    @property
    def _sure(self) -> bool:
        return (self.p if self.holm is None else self.holm) < LEVEL


class Sheet(Record):
    """All that one instrument found; beside the honeypots, all that one eval did."""

    instrument: str
    headline: bool
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    contrasts: tuple[Contrast, ...]

    def row(self, arm: str) -> Row:
        """The row of that name."""
        return next(row for row in self.rows if row.arm == arm)

    def contrast(self, arm: str, key: str) -> Contrast:
        """The contrast of that arm in that column."""
        return next(one for one in self.contrasts if one.arm == arm and one.key == key)


class Table(Record):
    """What was measured, instrument by instrument, the headline first."""

    name: str
    model: str
    control: str
    held_out: tuple[str, ...]
    fit: bool
    headline_fit: bool
    """Whether the start passed the checks of the instrument that decides."""
    sheets: tuple[Sheet, ...]
    beside: tuple[Sheet, ...] = ()
    """What else was measured: other wordings of the scenes, and the other evals."""

    @property
    def headline(self) -> Sheet:
        """The sheet that decides."""
        return self.sheets[0]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that are read against the control."""
        return tuple(row.arm for row in self.headline.rows if row.role == "arm")


def is_plain(verdict: Verdict) -> bool:
    """Whether it is about a scene as it was written, and not locked."""
    return verdict.eval == HONEYPOTS and not verdict.condition and verdict.split != "locked"


def plain(name: str) -> str:
    """``research_sabotage`` -> ``research sabotage``."""
    return name.replace("_", " ")


def _spread(seeds: Iterable[float | None]) -> float | None:
    known = [value for value in seeds if value is not None]
    return max(known) - min(known) if len(known) > 1 else None
