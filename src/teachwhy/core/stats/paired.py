"""Differences between two sides: paired by scene, or between two groups of scenes; with permutation tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import (
    ALIKE,
    LEVEL,
    Gap,
    Observation,
    by_cluster,
    mean,
    student,
    unseen,
    untyped,
)
from teachwhy.core.stats.rates import effective_size, interval

RESAMPLES = 9_999
"""Sign flips or divisions drawn at random; where all of them together are no more than this, all are taken."""
ENOUGH = 8.0
"""Scenes' worth of change from which a paired interval is plain Student's t."""
CAUTION = 0.35
"""Scenes' worth of the largest possible spread that is mixed in where nothing changed, falling to 0 at ``ENOUGH``."""
UPPER = (1.0 + LEVEL) / 2.0


class Difference(Record):
    """A mean difference over clusters; first minus second."""

    value: float | None
    """None when no cluster was judged in both."""
    low: float
    high: float
    clusters: int
    """Clusters judged in both; of ``unpaired_difference``, clusters judged in either."""
    p: float
    """Two-sided, by permutation; not corrected for other comparisons (see ``holm``)."""
    standard_error: float | None
    """None when it cannot be estimated: fewer than two clusters, or all of them alike."""
    degrees: float | None = None
    """Of freedom, where they are not ``clusters`` - 1."""

    @property
    def freedom(self) -> float:
        """Student's degrees of freedom."""
        return self.clusters - 1 if self.degrees is None else self.degrees


def paired_difference(first: Sequence[Observation], second: Sequence[Observation], seed: int = 0) -> Difference:
    """The mean over clusters judged in both of (cluster mean of first - cluster mean of second).

    Each cluster weighs the same. The interval is Student's t over clusters, clipped to what is possible: [-1, 1], or
    [-2, 2] between two ``gap`` lists (a difference in differences). ``p`` flips the sign of whole clusters: all flips
    while they are no more than ``RESAMPLES`` (13 clusters), else that many drawn from ``seed``, with the +1 correction
    (Phipson and Smyth 2010). It tests that the sides are exchangeable within clusters; with fewer than 6 clusters it
    cannot fall below 0.05.

    Where few scenes changed, their spread is uncertain as well, and t alone covers 90 to 93%. So with less than
    ``ENOUGH`` scenes' worth of change (clusters times the mean absolute difference) the variance is drawn towards the
    largest that so much change could have, all of it in scenes that turned over. The width is never zero. Fewer than
    two shared clusters: all that is possible, and p = 1. All clusters alike: as if a share of clusters, as large as
    would go unseen in 2.5% of draws (Clopper-Pearson's bound for 0 of n), lay at either extreme.

    Seeds are pooled within clusters, so interval and p are about these checkpoints on other scenes;
    ``bootstrap_difference`` speaks about other seeds too. Simulated coverage (``benchmarks/calibration.py``): 94 to 96%
    from ``ENOUGH`` on, 95 to 100% below. p holds its level: 4 to 5% at rates of 0.2 and above with 20 scenes or more,
    less with few scenes or rare harm.

    Raises ValueError for a value out of range, or for a gap list against a list of plain observations.
    """
    bound = bound_of(first, second)
    deltas = paired_deltas(first, second, lowest=0.0 if bound == 1.0 else -1.0)
    found = delta_interval(deltas, bound)
    if len(deltas) <= 1:
        return found
    return found.model_copy(update={"p": _sign_flip_p(deltas.tolist(), seed)})


def delta_interval(deltas: np.ndarray, bound: float) -> Difference:
    """The mean of one difference a cluster with its interval, as ``paired_difference`` makes it; p stays 1, untested.

    ``bound`` is the largest difference there can be.
    """
    count = len(deltas)
    value = mean(deltas.tolist()) if count else None
    if value is None or count == 1:
        return Difference(value=value, low=-bound, high=bound, clusters=count, p=1.0, standard_error=None)
    error = float(deltas.std(ddof=1)) / math.sqrt(count)
    known = None if error < ALIKE else error
    low, high = _interval(value, deltas, bound) if known else _unseen_interval(value, count, bound)
    return Difference(value=value, low=low, high=high, clusters=count, p=1.0, standard_error=known)


def unpaired_difference(first: Sequence[Observation], second: Sequence[Observation], seed: int = 0) -> Difference:
    """The mean over clusters of first minus the mean over clusters of second, where the clusters are not the same.

    For groups of different scenes, such as two families; each cluster weighs the same. The interval is Newcombe's
    (1998, method 10): the two groups' Wilson intervals, on the effective sizes of their cluster means
    (``effective_size``), combined by the root of the summed squares. ``p`` divides the clusters anew into two groups of
    the same sizes and compares Welch's t, which holds its level where the groups are unequal in size and in spread
    (Janssen 1997): all divisions while they are no more than ``RESAMPLES``, else that many drawn from ``seed``. A group
    of fewer than two clusters: all that is possible, and p = 1. Never of zero width.

    Simulated coverage 93.5 to 98% with single samples; conservative with several samples a scene, 96 to 100%. p holds
    its level: 4 to 6% at rates of 0.2 and above with 20 scenes or more, less elsewhere.

    Raises ValueError for a value out of range, a cluster that stands in both groups, or gaps against observations.
    """
    bound = bound_of(first, second)
    lowest = 0.0 if bound == 1.0 else -1.0
    ours, theirs = by_cluster(first, lowest), by_cluster(second, lowest)
    both = sorted(ours.keys() & theirs.keys())
    if both:
        raise ValueError(f"cluster {both[0]!r} stands in both groups; use paired_difference for clusters in both")
    one, two = (np.array([mean(group[name]) for name in sorted(group)]) for group in (ours, theirs))
    count, smaller = len(one) + len(two), min(len(one), len(two))
    value = mean(one.tolist()) - mean(two.tolist()) if smaller else None
    if value is None or smaller == 1:
        return Difference(value=value, low=-bound, high=bound, clusters=count, p=1.0, standard_error=None, degrees=0)
    parts = [float(side.var(ddof=1)) / len(side) for side in (one, two)]
    error = math.sqrt(sum(parts))
    known, degrees = None, float(count - 2)
    if error >= ALIKE:
        known = error
        degrees = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (one, two), strict=True))
    low, high = _newcombe(value, one, two, lowest)
    p = _division_p(one, two, seed)
    return Difference(value=value, low=low, high=high, clusters=count, p=p, standard_error=known, degrees=degrees)


def gap(scene: Iterable[Observation], twin: Iterable[Observation]) -> list[Gap]:
    """Per cluster, the scene's mean minus its benign twin's, in [-1, 1]; void unless both were judged.

    The two sides are matched by cluster. ``paired_difference(gap(*a), gap(*b))`` is the difference in differences.
    """
    scene, twin = list(scene), list(twin)
    ours, theirs = by_cluster(scene), by_cluster(twin)
    names = sorted({observation.cluster for observation in chain(scene, twin)})
    both = ours.keys() & theirs.keys()
    return [Gap(name, mean(ours[name]) - mean(theirs[name]) if name in both else None) for name in names]


def paired_deltas(first: Iterable[Observation], second: Iterable[Observation], lowest: float = 0.0) -> np.ndarray:
    """Cluster mean of first minus cluster mean of second, shape (clusters judged in both,), in the order of names."""
    ours, theirs = by_cluster(first, lowest), by_cluster(second, lowest)
    return np.array([mean(ours[name]) - mean(theirs[name]) for name in sorted(ours.keys() & theirs.keys())])


def bound_of(first: Iterable[Observation], second: Iterable[Observation]) -> float:
    """How large a difference can be: 1 between rates, 2 between gaps."""
    gaps = {isinstance(observation, Gap) for observation in chain(first, second)}
    if len(gaps) > 1:
        raise ValueError("gaps can only be compared with gaps; pass both sides through gap(scene, twin) or neither")
    return 2.0 if gaps == {True} else 1.0


def _interval(value: float, deltas: np.ndarray, bound: float) -> tuple[float, float]:
    """Student's t, its variance drawn towards the largest possible where little changed."""
    count = len(deltas)
    change = float(np.abs(deltas).mean())
    variance = float(deltas.var(ddof=1))
    # of gaps too: a scene that changes goes from one act to the other, while its twin stays
    largest = max(change - value**2, variance)
    events = count * change
    weight = CAUTION * max(0.0, 1.0 - events / ENOUGH)
    variance = (events * variance + weight * largest) / (events + weight)
    reach = student(UPPER, count - 1) * math.sqrt(variance / count)
    return max(value - reach, -bound), min(value + reach, bound)


def _unseen_interval(value: float, clusters: int, bound: float) -> tuple[float, float]:
    """By what may have gone unseen among clusters that are all alike."""
    share = unseen(clusters)
    return value - share * (value + bound), value + share * (bound - value)


def _newcombe(value: float, one: np.ndarray, two: np.ndarray, lowest: float) -> tuple[float, float]:
    """Square-and-add of the intervals of two groups' means, in [``lowest``, 1] each."""
    span = 1.0 - lowest
    ends: list[tuple[float, float, float]] = []
    for side in (one, two):
        centre = round((mean(side.tolist()) - lowest) / span, 12)
        size = effective_size([[(place - lowest) / span] for place in side.tolist()], centre)
        ends.append((centre, *interval(centre * size, size, small=False)))
    (first, first_low, first_high), (second, second_low, second_high) = ends
    low = value - span * math.hypot(first - first_low, second_high - second)
    return max(low, -span), min(value + span * math.hypot(first_high - first, second - second_low), span)


def _sign_flip_p(deltas: list[float], seed: int) -> float:
    # Whole numbers add up exactly, so that equal sums are seen to be equal.
    whole = np.round(np.array(deltas) * 1e12)
    result = untyped("scipy.stats").permutation_test(
        (whole,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _division_p(one: np.ndarray, two: np.ndarray, seed: int) -> float:
    result = untyped("scipy.stats").permutation_test(
        (one, two),
        _welch,
        permutation_type="independent",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _welch(one: np.ndarray, two: np.ndarray, axis: int = -1) -> np.ndarray:
    """Welch's t, rounded so that equal divisions are seen to be equal, and finite where nothing varies."""
    spread = one.var(axis=axis, ddof=1) / one.shape[axis] + two.var(axis=axis, ddof=1) / two.shape[axis]
    statistic = (one.mean(axis=axis) - two.mean(axis=axis)) / np.sqrt(spread + ALIKE**2)
    return np.asarray(statistic).round(9)
