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

RESAMPLES = 9_999
"""Sign flips or divisions drawn at random; where all of them together are no more than this, all are taken."""
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
    smaller: int | None = None
    """Clusters of the smaller group, where there are two groups."""

    @property
    def freedom(self) -> float:
        """Student's degrees of freedom."""
        return self.clusters - 1 if self.degrees is None else self.degrees

    @property
    def weakest(self) -> int:
        """The clusters that the evidence hangs on: all of them, or those of the smaller group."""
        return self.clusters if self.smaller is None else self.smaller


def paired_difference(first: Sequence[Observation], second: Sequence[Observation], seed: int = 0) -> Difference:
    """The mean over clusters judged in both of (cluster mean of first - cluster mean of second).

    Each cluster weighs the same. The interval is Student's t over clusters, clipped to what is possible: [-1, 1], or
    [-2, 2] between two ``gap`` lists (a difference in differences). ``p`` flips the sign of whole clusters: all flips
    while they are no more than ``RESAMPLES`` (13 clusters), else that many drawn from ``seed``, with the +1 correction
    (Phipson and Smyth 2010). It tests that the sides are exchangeable within clusters; with fewer than 6 clusters it
    cannot fall below 0.05.

    Where t has no variance to stand on, the width is never zero. Fewer than two shared clusters: all that is possible,
    and p = 1. All clusters alike: as if a share of clusters, as large as would go unseen in 2.5% of draws
    (Clopper-Pearson's bound for 0 of n), lay at either extreme.

    Seeds are pooled within clusters, so interval and p are about these checkpoints on other scenes;
    ``bootstrap_difference`` speaks about other seeds too. Simulated coverage 93 to 97%, above that where next to nothing
    happened on either side (``benchmarks/calibration.py``).

    Raises ValueError for a value out of range, or for a gap list against a list of plain observations.
    """
    bound = _bound(first, second)
    deltas = paired_deltas(first, second, lowest=0.0 if bound == 1.0 else -1.0)
    count = len(deltas)
    value = mean(deltas.tolist()) if count else None
    if value is None or count == 1:
        return Difference(value=value, low=-bound, high=bound, clusters=count, p=1.0, standard_error=None)
    error = float(deltas.std(ddof=1)) / math.sqrt(count)
    known = None if error < ALIKE else error
    low, high = _reach(value, known, count - 1, count, bound)
    p = _sign_flip_p(deltas.tolist(), seed)
    return Difference(value=value, low=low, high=high, clusters=count, p=p, standard_error=known)


def unpaired_difference(first: Sequence[Observation], second: Sequence[Observation], seed: int = 0) -> Difference:
    """The mean over clusters of first minus the mean over clusters of second, where the clusters are not the same.

    For groups of different scenes, such as two families; each cluster weighs the same. The interval is Welch's t over
    cluster means, clipped as in ``paired_difference``. ``p`` divides the clusters anew into two groups of the same
    sizes and compares Welch's t, which holds its level where the groups are unequal in size and in spread (Janssen
    1997): all divisions while they are no more than ``RESAMPLES``, else that many drawn from ``seed``. A group of fewer
    than two clusters: all that is possible, and p = 1. All clusters alike within their groups: as in
    ``paired_difference``, for the smaller group.

    Raises ValueError for a value out of range, a cluster that stands in both groups, or gaps against observations.
    """
    bound = _bound(first, second)
    lowest = 0.0 if bound == 1.0 else -1.0
    ours, theirs = by_cluster(first, lowest), by_cluster(second, lowest)
    both = sorted(ours.keys() & theirs.keys())
    if both:
        raise ValueError(f"cluster {both[0]!r} stands in both groups; use paired_difference for clusters in both")
    one, two = (np.array([mean(group[name]) for name in sorted(group)]) for group in (ours, theirs))
    count, smaller = len(one) + len(two), min(len(one), len(two))
    value = mean(one.tolist()) - mean(two.tolist()) if smaller else None
    if value is None or smaller == 1:
        return Difference(
            value=value, low=-bound, high=bound, clusters=count, p=1.0, standard_error=None, smaller=smaller
        )
    parts = [float(side.var(ddof=1)) / len(side) for side in (one, two)]
    error = math.sqrt(sum(parts))
    known, degrees = None, float(count - 2)
    if error >= ALIKE:
        known = error
        degrees = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (one, two), strict=True))
    low, high = _reach(value, known, degrees, smaller, bound)
    return Difference(
        value=value,
        low=low,
        high=high,
        clusters=count,
        p=_division_p(one, two, seed),
        standard_error=known,
        degrees=degrees,
        smaller=smaller,
    )


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
    """Cluster mean of first minus cluster mean of second, of shape (clusters judged in both,), in the order of names."""
    ours, theirs = by_cluster(first, lowest), by_cluster(second, lowest)
    return np.array([mean(ours[name]) - mean(theirs[name]) for name in sorted(ours.keys() & theirs.keys())])


def _bound(first: Iterable[Observation], second: Iterable[Observation]) -> float:
    """How large a difference can be: 1 between rates, 2 between gaps."""
    gaps = {isinstance(observation, Gap) for observation in chain(first, second)}
    if len(gaps) > 1:
        raise ValueError("gaps can only be compared with gaps; pass both sides through gap(scene, twin) or neither")
    return 2.0 if gaps == {True} else 1.0


def _reach(value: float, error: float | None, degrees: float, clusters: int, bound: float) -> tuple[float, float]:
    """The interval by t; by what may have gone unseen where there is no standard error."""
    if error is None:
        share = unseen(clusters)
        return value - share * (value + bound), value + share * (bound - value)
    reach = student(UPPER, degrees) * error
    return max(value - reach, -bound), min(value + reach, bound)


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
    return np.round((one.mean(axis=axis) - two.mean(axis=axis)) / np.sqrt(spread + ALIKE**2), 9)
