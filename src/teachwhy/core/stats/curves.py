"""Two starts followed along steps (of RL, of a wash-out): what is left of a lead, as a word that holds its level.

Everything is a difference, first minus second, paired by scene: at the start, at the end, of the mean over the curve,
of the slope. A scene counts where both starts were judged on it at both ends, so that all numbers of a pair speak about
the same scenes; a void in between is bridged in both curves, never given a value.

*Level.* A lead that is looked at because it was significant was, on average, found too large, and shrinks by itself
when measured again. So the word rests on two steps, each at 5%, both sides together, divided by the number of pairs:

1. *Is there a lead at the start?* Its interval leaves out 0.
2. *What became of it?* Whether the lead at the end is more than half of that at the start (kept), less than half
   (eroded), or below 0 (overtaken), is tested *given* that step 1 was passed: as far as the noise of the test goes
   along with the noise of the start's lead, the values that would not have passed are taken out of its distribution
   (truncation, as in Lee, Sun, Sun and Taylor 2016). A lead far beyond its bar is judged as if it had not been chosen;
   one that just passed can hardly be called eroded. The unconditional p is taken where it is larger.

Needing both keeps the chance of a wrong word at 5% whichever of the two is false (an intersection-union test), and,
given that a true lead was seen, at 5% among those. Simpler than the paper: normal theory with estimated variances and
Student's tails; ``benchmarks/persistence.py`` simulates what that comes to.

*Seeds.* One seed a start: everything is about these very training runs on other scenes. With several in one of them the
variance between seeds is added as in ``bootstrap_difference``, and it is about other runs too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.bootstrap import Over, SeedSpread, combined, seed_spread
from teachwhy.core.stats.observations import ALIKE, LEVEL, mean, student, untyped
from teachwhy.core.stats.paired import UPPER, bound_of, delta_interval
from teachwhy.core.stats.power import fewest
from teachwhy.core.stats.trails import Side, Trail, arrange, interpolate, observations_of, shared_scenes, shared_steps

Word = Literal["kept", "eroded", "overtaken", "cannot tell"]
Reason = Literal["", "nothing to compare", "no lead", "change open"]
"""Why nothing can be told. ``change open``: a lead of which none of the words is established."""

HALF = 0.5
"""The share of the start's lead that the end's must stay above, or fall below."""
POWER = 0.8
SURE = 1e-15
"""No p value is told from 0 below this."""


class Reading(Record):
    """One paired difference, first minus second."""

    value: float | None
    low: float
    high: float
    p: float
    """Two-sided: the level at which the interval would just reach 0; not corrected for other comparisons."""


class Comparison(Record):
    """What became of the difference between two starts."""

    word: Word
    reason: Reason
    ahead: Literal["first", "second"] | None
    """Who led at the start; None where no lead is established."""
    p: float
    """Of the word, times the number of pairs: a word is given below 0.05. Where none is, of the likeliest."""
    start: Reading
    end: Reading
    mean: Reading
    """Of the area under the curves, divided by the span."""
    slope: Reading
    """Of each scene's least-squares line, as the change it makes from the first step to the last."""
    left: Reading
    """The lead at the end minus half of that at the start, of whoever was ahead at the start: above 0 is kept."""
    steps: tuple[float, ...]
    """Those that every seed of both starts has; nothing else is looked at."""
    scenes: int
    seeds: tuple[int, int]
    over: Over
    needed: int | None = None
    """Scenes with which it could be told in 4 of 5 such experiments, if all is as it seems; None where it can be told,
    or not with any number."""


class At(Record):
    """Both starts at one place of an axis that is not steps."""

    x: float
    difference: Reading
    scenes: int


def compare(first: Trail, second: Trail, pairs: int = 1, better: Literal["low", "high"] = "low") -> Comparison:
    """The paired differences between two starts along their steps, first minus second, and the word for the pair.

    For harm ``better`` is low. ``pairs`` is how many pairs are looked at together: the level of the word is 5% divided
    by it (Bonferroni; the bar for the start's lead must be known before the leads are, so Holm's steps do not serve).

    *kept*: ahead at the start, and at the end still by more than half as much. *eroded*: ahead at the start, and by
    less than half as much at the end, established and not merely "no longer significant". *overtaken*: ahead at the
    start, behind at the end. *cannot tell*: none is established; ``reason`` says why.

    Raises ValueError for a value out of range, two points of a seed at one step, or gaps against plain observations.
    """
    bound = bound_of(observations_of(first), observations_of(second))
    steps = shared_steps([*first.values(), *second.values()])
    sides, seen = shared_scenes([arrange(trail, steps, bound) for trail in (first, second)])
    found = [_measure(sides, weights, bound) for weights in _weights(steps, seen)]
    start, end, average, slope, left = (one if one is not None else _nothing(bound) for one in found)
    turn = -1.0 if (start.value or 0.0) < 0.0 else 1.0
    verdict = _judge(start, end.turned(turn), left.turned(turn), pairs)
    leads = "first" if (turn < 0.0) == (better == "low") else "second"
    return Comparison(
        word=verdict.word,
        reason=verdict.reason,
        ahead=None if verdict.reason in ("nothing to compare", "no lead") else leads,
        p=min(1.0, verdict.p * pairs),
        start=start.reading(),
        end=end.reading(),
        mean=average.reading(),
        slope=slope.reading(),
        left=left.turned(turn).reading(),
        steps=steps,
        scenes=seen.shape[1],
        seeds=(len(sides[0].runs), len(sides[1].runs)),
        over="scenes" if start.seeds is None else "scenes and seeds",
        needed=_needed(start.turned(turn), left.turned(turn), verdict, pairs),
    )


def along(first: Trail, second: Trail, places: int = 5) -> tuple[At, ...]:
    """The paired difference, first minus second, at places of an axis on which each checkpoint has its own x.

    Such as KL or reward. Each seed's points are put in the order of x and joined by straight lines, scene by scene; the
    places divide evenly the largest range that every seed of both starts covers. A scene that is void at a neighbouring
    point is left out at that place. The seeds weigh the same. Descriptive: x is itself an outcome of training, so equal
    x is not equal treatment, and no word rests on it. Nothing in common: no places.
    """
    bound = bound_of(observations_of(first), observations_of(second))
    runs = [*first.values(), *second.values()]
    if not first or not second or not all(runs):
        return ()
    low = max(min(point.x for point in run) for run in runs)
    high = min(max(point.x for point in run) for run in runs)
    if not low < high:
        return ()
    found: list[At] = []
    for x in np.linspace(low, high, places).tolist():
        sides, seen = shared_scenes([interpolate(trail, x, bound) for trail in (first, second)])
        one = _measure(sides, seen.astype(float), bound)
        found.append(At(x=x, difference=(one or _nothing(bound)).reading(), scenes=seen.shape[1]))
    return tuple(found)


class _Measure(NamedTuple):
    """A weighted sum of the points' differences: its mean over scenes, and how far it can be off."""

    value: float | None
    low: float
    high: float
    error: float
    """Standard error over scenes that the interval was made with."""
    freedom: float
    seeds: SeedSpread | None = None
    deltas: np.ndarray = np.zeros(0)
    shifts: tuple[tuple[float, ...], ...] = ()
    """Arm by arm, how far each seed pulls it."""

    @property
    def whole(self) -> float:
        """The standard error over scenes and, where they count, seeds."""
        return math.hypot(self.error, self.seeds.error if self.seeds else 0.0)

    def turned(self, sign: float) -> _Measure:
        """Times 1 or -1."""
        if sign > 0.0 or self.value is None:
            return self
        shifts = tuple(tuple(-shift for shift in arm) for arm in self.shifts)
        return self._replace(value=-self.value, low=-self.high, high=-self.low, deltas=-self.deltas, shifts=shifts)

    def on(self, scenes: int) -> _Measure:
        """As it would be on so many scenes, found at the value that 4 of 5 experiments reach."""
        error = self.error * math.sqrt((self.freedom + 1.0) / scenes)
        there = self._replace(error=error, freedom=scenes - 1.0)
        reach = _normal(POWER) * there.whole
        return there._replace(value=(self.value or 0.0) - reach)

    def reach(self, level: float) -> float:
        """Half the width of the interval at that level of error."""
        upper = 1.0 - level / 2.0
        seeds = _quantile(upper, self.seeds.degrees) * self.seeds.error if self.seeds else 0.0
        return math.hypot(_quantile(upper, self.freedom) * self.error, seeds)

    def chance(self, value: float) -> float:
        """The two-sided p of a value: the level at which ``reach`` is as large."""
        size = abs(value)
        if self.freedom <= 0.0 or size < ALIKE:
            return 1.0
        if self.seeds is None or self.seeds.error < ALIKE:
            return 2.0 * float(untyped("scipy.special").stdtr(self.freedom, -size / self.error))
        if self.reach(SURE) <= size:
            return SURE

        def short(power: float) -> float:
            return self.reach(math.exp(power)) - size

        return math.exp(float(untyped("scipy.optimize").brentq(short, math.log(SURE), 0.0, xtol=1e-6)))

    def tail(self, value: float) -> float:
        """The chance of that value or a larger one, where the truth is 0."""
        half = self.chance(value) / 2.0
        return half if value >= 0.0 else 1.0 - half

    def reading(self) -> Reading:
        """For the reader."""
        p = 1.0 if self.value is None else self.chance(self.value)
        return Reading(value=self.value, low=self.low, high=self.high, p=p)


class _Verdict(NamedTuple):
    word: Word
    reason: Reason
    p: float
    """Not yet times the pairs."""


def _judge(start: _Measure, end: _Measure, left: _Measure, pairs: int) -> _Verdict:
    """The word; ``end`` and ``left`` are turned so that the start's lead is above 0."""
    if start.value is None:
        return _Verdict("cannot tell", "nothing to compare", 1.0)
    level = (1.0 - LEVEL) / pairs
    lead = start.chance(start.value)
    if lead >= level:
        return _Verdict("cannot tell", "no lead", lead)
    excess = abs(start.value) - start.reach(level)
    ahead = start.turned(math.copysign(1.0, start.value))
    chances: dict[Word, float] = {
        "overtaken": _given(ahead, end.turned(-1.0), excess),
        "eroded": _given(ahead, left.turned(-1.0), excess),
        "kept": _given(ahead, left, excess),
    }
    for word, chance in chances.items():
        if chance < level:
            return _Verdict(word, "", max(lead, chance))
    return _Verdict("cannot tell", "change open", max(lead, min(chances.values())))


def _given(lead: _Measure, test: _Measure, excess: float) -> float:
    """The two-sided p of ``test`` above 0, given a lead that is ``excess`` above its bar.

    What the lead is beyond its share in the test's noise is held fixed; then the lead passes its bar exactly where the
    test is above ``least``.
    """
    value = test.value or 0.0
    plain = test.tail(value)
    share = _correlation(lead, test) * lead.whole / test.whole
    if share <= ALIKE:
        return min(1.0, 2.0 * plain)
    least = value - excess / share
    return min(1.0, 2.0 * plain / test.tail(least))


def _correlation(one: _Measure, two: _Measure) -> float:
    """Of the noise of two measures, over scenes and, where they count, seeds."""

    def variances(deltas: np.ndarray, shifts: Sequence[Sequence[float]], seeds: SeedSpread | None) -> float:
        spread = seed_spread(shifts) if seeds else None
        return float(deltas.var(ddof=1)) / len(deltas) + (spread.error**2 if spread else 0.0)

    own = [variances(each.deltas, each.shifts, each.seeds) for each in (one, two)]
    if min(own) < ALIKE**2:
        return 0.0
    both = [
        variances(one.deltas + sign * two.deltas, _added(one.shifts, two.shifts, sign), one.seeds)
        for sign in (1.0, -1.0)
    ]
    return max(-1.0, min(1.0, (both[0] - both[1]) / (4.0 * math.sqrt(own[0] * own[1]))))


def _added(one: Sequence[Sequence[float]], two: Sequence[Sequence[float]], sign: float) -> list[list[float]]:
    return [[ours + sign * theirs for ours, theirs in zip(*arms, strict=True)] for arms in zip(one, two, strict=True)]


def _needed(start: _Measure, left: _Measure, verdict: _Verdict, pairs: int) -> int | None:
    """With how many scenes a word would be given in ``POWER`` of experiments; None for none, or where one is."""
    level = (1.0 - LEVEL) / pairs
    if verdict.reason not in ("no lead", "change open") or start.freedom <= 0.0:
        return None
    test = left.turned(math.copysign(1.0, left.value or 0.0))

    def enough(scenes: int) -> bool:
        if scenes <= 1:
            return False
        lead = start.on(scenes)
        if verdict.reason == "no lead":
            return (lead.value or 0.0) > lead.reach(level)
        there = test.on(scenes)
        excess = (start.value or 0.0) - lead.reach(level)
        return excess > 0.0 and (there.value or 0.0) > 0.0 and _given(lead, there, excess) < level

    return fewest(enough, len(start.deltas))


def _measure(sides: Sequence[Side], weights: np.ndarray | None, bound: float) -> _Measure | None:
    """The weighted sum over points, ``weights`` of shape (points, scenes); None where nothing is left to compare."""
    if weights is None or not weights.size:
        return None
    ours, theirs = (_summed(side.pooled, weights) for side in sides)
    deltas = ours - theirs
    # what a scene that turns from one act to the other can move, and the most that is possible at all
    unit = float(np.maximum(weights.clip(min=0.0).sum(axis=0), (-weights).clip(min=0.0).sum(axis=0)).max())
    most = bound * float(np.abs(weights).sum(axis=0).max())
    found = delta_interval(deltas / unit, most / unit)
    value, low, high = (unit * (found.value or 0.0), unit * found.low, unit * found.high)
    freedom = float(len(deltas) - 1)
    error = max(value - low, high - value) / student(UPPER, freedom) if freedom > 0.0 else math.inf
    shifts = tuple(
        tuple(_shift(_summed(run, weights) - whole) for run in side.runs)
        for side, whole in zip(sides, (ours, theirs), strict=True)
    )
    spread = seed_spread(shifts) if freedom > 0.0 else None
    low, high = combined(value, (low, high), (-most, most), spread)
    return _Measure(value, low, high, error, freedom, spread, deltas, shifts)


def _nothing(bound: float) -> _Measure:
    return _Measure(value=None, low=-bound, high=bound, error=math.inf, freedom=0.0)


def _summed(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Scene by scene; a void where there is no weight is no loss."""
    return np.where(weights == 0.0, 0.0, weights * points).sum(axis=0)


def _shift(distances: np.ndarray) -> float:
    """A seed's mean distance from the scenes' means over the seeds, where it was judged; 0 where it nowhere was."""
    known = distances[~np.isnan(distances)]
    return mean(known.tolist()) if known.size else 0.0


def _weights(steps: tuple[float, ...], seen: np.ndarray) -> list[np.ndarray | None]:
    """Start, end, mean over the curve, slope times the span, and the end less half of the start."""
    if len(steps) <= 1 or not seen.size:
        return [None] * 5
    start, end = np.zeros(seen.shape), np.zeros(seen.shape)
    start[0], end[-1] = 1.0, 1.0
    area, slope = np.zeros(seen.shape), np.zeros(seen.shape)
    x = (np.array(steps) - steps[0]) / (steps[-1] - steps[0])
    for scene, here in enumerate(seen.T):
        places = x[here]
        gaps = np.diff(places, prepend=places[0], append=places[-1])
        area[here, scene] = (gaps[:-1] + gaps[1:]) / 2.0
        off = places - places.mean()
        slope[here, scene] = off / (off**2).sum()
    return [start, end, area, slope, end - HALF * start]


def _quantile(share: float, degrees: float) -> float:
    """Student's, by the fast routine: a p value over seeds asks for it dozens of times."""
    return float(untyped("scipy.special").stdtrit(degrees, share))


def _normal(share: float) -> float:
    return float(untyped("scipy.special").ndtri(share))
