"""The gap between what fails and what training covers: level by level, how much rarer it is in the rows.

The distance is the share among the scenes minus the share among the rows, from -1 to 1: how many fewer rows stand at
the level than would if rows were like scenes, as a share of all. Its interval is Newcombe's (1998, method 10), from the
two shares' own. Whether they differ at all is asked by Fisher's exact test, corrected by Holm over all levels.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from teachwhy.core.records import Record
from teachwhy.core.stats import LEVEL, holm
from teachwhy.core.stats.observations import untyped
from teachwhy.diagnosis.coverage import Coverage, Covered, Share
from teachwhy.diagnosis.describe import UNCLEAR, all_axes

FEWEST = 20
"""Rows or scenes of which nothing is asserted if there are fewer."""
RARE = 0.02
"""A share of rows below this is next to nothing."""

Word = Literal["missing", "rarer", "no rarer", "too few"]


class Gap(Record):
    """One level of one axis, in the scenes and in the rows."""

    axis: str
    level: str
    scenes: Share
    rows: Share
    distance: float | None
    """Scenes minus rows; None where nothing was read on one side."""
    low: float
    high: float
    least: float
    """The low end if every row that is unclear on this axis stood at this level."""
    p: float | None
    """Of no difference at all, corrected over all levels."""
    word: Word
    """``missing``: surely rarer than in the scenes, and next to nothing in the rows. ``rarer``: surely rarer.

    ``no rarer``: that cannot be said. ``too few``: rows or scenes, so that nothing is said.
    """


def rank(coverage: Covered, profile: Covered) -> tuple[Gap, ...]:
    """Every level, ranked by the low end of its distance: what is most surely lacking first, what is too few last.

    ``coverage`` is of training rows, ``profile`` of scenes turned to rows. ``unclear`` is no level to be ranked.
    """
    pairs = [
        (profile.at(axis, level), coverage.at(axis, level))
        for axis, levels in all_axes().items()
        for level in levels
        if level != UNCLEAR
    ]
    corrected = holm({_name(rows): _test(scenes, rows) for scenes, rows in pairs if _enough(scenes, rows)})
    gaps = [_gap(scenes, rows, corrected.get(_name(rows))) for scenes, rows in pairs]
    return tuple(sorted(gaps, key=lambda gap: (gap.word == "too few", -gap.low, gap.axis, gap.level)))


def by_file(coverage: Coverage, profile: Covered) -> dict[str, tuple[Gap, ...]]:
    """The same for each file by itself."""
    return {one.name: rank(one, profile) for one in coverage.files}


def _enough(scenes: Share, rows: Share) -> bool:
    return min(scenes.of, rows.of) >= FEWEST


def _name(share: Share) -> str:
    return f"{share.axis}={share.level}"


def _gap(scenes: Share, rows: Share, p: float | None) -> Gap:
    distance = None if scenes.share is None or rows.share is None else scenes.share - rows.share
    low, high = difference_interval(scenes, rows)
    return Gap(
        axis=scenes.axis,
        level=scenes.level,
        scenes=scenes,
        rows=rows,
        distance=distance,
        low=low,
        high=high,
        least=max(-1.0, low - (rows.ceiling - (rows.share or 0.0))),
        p=p,
        word=_word(rows, low, p),
    )


def _word(rows: Share, low: float, p: float | None) -> Word:
    if p is None:
        return "too few"
    if low <= 0.0 or p >= 1.0 - LEVEL:
        return "no rarer"
    return "missing" if rows.high < RARE else "rarer"


def difference_interval(one: Share, other: Share) -> tuple[float, float]:
    """Newcombe's interval of the first share minus the second; all that is possible where one is not known."""
    if one.share is None or other.share is None:
        return -1.0, 1.0
    difference = one.share - other.share
    down = math.hypot(one.share - one.low, other.high - other.share)
    up = math.hypot(one.high - one.share, other.share - other.low)
    return max(-1.0, difference - down), min(1.0, difference + up)


def _test(scenes: Share, rows: Share) -> float:
    table: Any = [[scenes.rows, scenes.of - scenes.rows], [rows.rows, rows.of - rows.rows]]
    return float(untyped("scipy.stats").fisher_exact(table).pvalue)
