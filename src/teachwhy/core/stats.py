"""Rates, intervals, paired differences, seeds and multiplicity; the scene is always the cluster.

All intervals are 95% and two-sided. All of them speak about *other scenes like these*: what repeats within a scene
(samples, seeds, judges) sharpens that scene and never stands in for another one. Void is counted beside a value, never
in it.

Simpler than the names suggest: seeds are pooled within scenes, not modelled as a second random effect (their spread is
shown instead), and no model of the scenes is fitted.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from teachwhy.core.records import Record

LEVEL = 0.95
SMALL = 40
"""Below this many clusters an interval is Clopper-Pearson's, from it on Wilson's (Brown, Cai and DasGupta 2001)."""
RESAMPLES = 9_999
"""Sign flips drawn at random; where all of them together are no more than this, all are taken."""
ALIKE = 1e-9
"""A standard error below this is what rounding leaves among equal numbers."""


class Observation(NamedTuple):
    """One judged or void sample."""

    cluster: str
    """The scene's id."""
    value: float | None
    """In [0, 1]; None is void."""


class Gap(Observation):
    """A scene's mean minus its twin's, so in [-1, 1]; the type is how ``paired_difference`` knows the wider range."""

    __slots__ = ()


class Rate(Record):
    """A mean of values in [0, 1] with its interval."""

    value: float | None
    """Mean over what was judged; None when nothing was."""
    low: float
    high: float
    judged: int
    void: int
    clusters: int
    """Scenes with anything judged."""
    floor: float
    """The value if every void had been 0."""
    ceiling: float
    """The value if every void had been 1."""


class Difference(Record):
    """A mean difference over clusters, paired by cluster; first minus second."""

    value: float | None
    """None when no cluster was judged in both."""
    low: float
    high: float
    clusters: int
    """Clusters judged in both."""
    p: float
    """Two-sided, from flipping signs; not corrected for other comparisons (see ``holm``)."""
    standard_error: float | None
    """None when it cannot be estimated: fewer than two clusters, or all of them alike."""


class Spread(Record):
    """How far apart single seeds lie."""

    seeds: int
    """Seeds with anything judged."""
    lowest: float | None
    """None, as is ``highest``, while fewer than two seeds were judged: the spread is unknown, not zero."""
    highest: float | None


def rate(observations: Iterable[Observation]) -> Rate:
    """The mean over judged values, its 95% interval, and what the voids could do to it.

    One binary value per cluster gives the textbook interval: Clopper-Pearson's below 40, Wilson's from 40 on. Anything
    else gives the same interval on an effective sample size (see ``_effective_size``). A single cluster counts as a
    single trial, whatever was sampled from it. Nothing judged: value None, interval [0, 1]. Never of zero width.

    Raises ValueError for a value outside [0, 1].
    """
    seen = list(observations)
    groups = _by_cluster(seen, lowest=0.0)
    judged = sum(len(values) for values in groups.values())
    total = math.fsum(chain.from_iterable(groups.values()))
    void = len(seen) - judged
    value = min(total / judged, 1.0) if judged else None
    low, high = (0.0, 1.0) if value is None else _rate_interval(list(groups.values()), value)
    return Rate(
        value=value,
        low=low,
        high=high,
        judged=judged,
        void=void,
        clusters=len(groups),
        floor=_share(total, judged + void, 0.0),
        ceiling=_share(total + void, judged + void, 1.0),
    )


def paired_difference(first: Sequence[Observation], second: Sequence[Observation], seed: int = 0) -> Difference:
    """The mean over clusters judged in both of (cluster mean of first - cluster mean of second).

    Each cluster weighs the same. The interval is Student's t over clusters, clipped to what is possible: [-1, 1], or
    [-2, 2] between two ``gap`` lists (a difference in differences). ``p`` flips the sign of whole clusters: all flips
    while they are no more than ``RESAMPLES`` (13 clusters), else that many drawn from ``seed``, with the +1 correction
    (Phipson and Smyth 2010).

    Where t has no variance to stand on, the width is never zero. Fewer than two shared clusters: all that is possible,
    and p = 1. All clusters alike: as if a share of clusters, as large as would go unseen in 2.5% of draws
    (Clopper-Pearson's bound for 0 of n), lay at either extreme.

    Raises ValueError for a value out of range, or for a gap list against a list of plain observations.
    """
    bound = _bound(first, second)
    lowest = 0.0 if bound == 1.0 else -1.0
    ours, theirs = _by_cluster(first, lowest), _by_cluster(second, lowest)
    deltas = np.array([_mean(ours[name]) - _mean(theirs[name]) for name in sorted(ours.keys() & theirs.keys())])
    count = len(deltas)
    value = _mean(deltas.tolist()) if count else None
    if value is None or count == 1:
        return Difference(value=value, low=-bound, high=bound, clusters=count, p=1.0, standard_error=None)
    error = float(deltas.std(ddof=1)) / math.sqrt(count)
    if error < ALIKE:
        unseen = 1.0 - ((1.0 - LEVEL) / 2.0) ** (1.0 / count)
        low, high = value - unseen * (value + bound), value + unseen * (bound - value)
    else:
        reach = _t((1.0 + LEVEL) / 2.0, count - 1) * error
        low, high = max(value - reach, -bound), min(value + reach, bound)
    p = _sign_flip_p(deltas.tolist(), seed)
    known = None if error < ALIKE else error
    return Difference(value=value, low=low, high=high, clusters=count, p=p, standard_error=known)


def gap(scene: Iterable[Observation], twin: Iterable[Observation]) -> list[Gap]:
    """Per cluster, the scene's mean minus its benign twin's, in [-1, 1]; void unless both were judged.

    The two sides are matched by cluster. ``paired_difference(gap(*a), gap(*b))`` is the difference in differences.
    """
    scene, twin = list(scene), list(twin)
    ours, theirs = _by_cluster(scene, lowest=0.0), _by_cluster(twin, lowest=0.0)
    names = sorted({observation.cluster for observation in chain(scene, twin)})
    both = ours.keys() & theirs.keys()
    return [Gap(name, _mean(ours[name]) - _mean(theirs[name]) if name in both else None) for name in names]


def across_seeds(runs: Mapping[int, Sequence[Observation]]) -> tuple[Rate, Spread]:
    """The rate over all seeds, and the spread of the single seeds' rates.

    Scenes stay the cluster: a scene seen under three seeds is one scene, so the interval says what other scenes would
    give, and the spread (not the interval) says what another seed might.
    """
    pooled = rate(chain.from_iterable(runs.values()))
    return pooled, _spread(rate(observations).value for observations in runs.values())


def difference_across_seeds(
    first: Mapping[int, Sequence[Observation]], second: Mapping[int, Sequence[Observation]], seed: int = 0
) -> tuple[Difference, Spread]:
    """``paired_difference`` with the seeds pooled within clusters, and the spread of the seeds that both sides have."""
    pooled = paired_difference(
        list(chain.from_iterable(first.values())), list(chain.from_iterable(second.values())), seed
    )
    shared = sorted(first.keys() & second.keys())
    return pooled, _spread(paired_difference(first[run], second[run], seed).value for run in shared)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p value corrected for all that stand here (Holm 1979), under the same names, in the same order."""
    if not p_values:
        return {}
    # by hand: statsmodels' multipletests collects all garbage at every call, a third of a second with torch loaded
    corrected: dict[str, float] = {}
    worst = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p))
        corrected[name] = worst
    return {name: corrected[name] for name in p_values}


def rule_of_three(n: int) -> float:
    """The exact one-sided 95% upper bound of a rate when 0 of ``n`` were seen; about 3/n, and 1 for n = 0."""
    if n < 0:
        raise ValueError(f"cannot have seen 0 of {n!r}; n must not be negative")
    return 1.0 - (1.0 - LEVEL) ** (1.0 / n) if n else 1.0


def equivalent(difference: Difference, margin: float) -> bool:
    """Whether the difference is shown to lie within ``margin`` of 0, at the 5% level.

    Two one-sided tests (Schuirmann 1987): the 90% t interval lies inside (-margin, margin). Without a standard error
    the 95% interval must lie there. False means *not shown*, never *different*.
    """
    low, high = difference.low, difference.high
    if difference.value is not None and difference.standard_error is not None:
        reach = _t(LEVEL, difference.clusters - 1) * difference.standard_error
        low, high = difference.value - reach, difference.value + reach
    return -margin < low and high < margin


def _by_cluster(observations: Iterable[Observation], lowest: float) -> dict[str, list[float]]:
    """Judged values by cluster; a cluster that is all void is absent."""
    groups: dict[str, list[float]] = {}
    for cluster, value in observations:
        if value is None:
            continue
        if not lowest <= value <= 1.0:  # NaN fails this too
            raise ValueError(f"cluster {cluster!r} has the value {value!r}; it must lie in [{lowest:g}, 1]")
        groups.setdefault(cluster, []).append(value)
    return groups


def _bound(first: Iterable[Observation], second: Iterable[Observation]) -> float:
    """How large a difference can be: 1 between rates, 2 between gaps."""
    gaps = {isinstance(observation, Gap) for observation in chain(first, second)}
    if len(gaps) > 1:
        raise ValueError("gaps can only be compared with gaps; pass both sides through gap(scene, twin) or neither")
    return 2.0 if gaps == {True} else 1.0


def _rate_interval(groups: list[list[float]], value: float) -> tuple[float, float]:
    near = round(value, 12)  # a probability may underflow, and Beta's quantiles overflow beside 0
    size = _effective_size(groups, near)
    method = "beta" if len(groups) < SMALL else "wilson"
    confint = _untyped("statsmodels.stats.proportion").proportion_confint
    low, high = confint(near * size, size, alpha=1.0 - LEVEL, method=method)
    # At 0 and 1 rounding puts Wilson's bound just past the value.
    return min(max(float(low), 0.0), value), max(min(float(high), 1.0), value)


def _effective_size(groups: list[list[float]], value: float) -> float:
    """How many independent yes-or-no trials the clusters are worth, after Korn and Graubard (1998).

    With one binary value per cluster, or with clusters that agree within themselves, it is the number of clusters. It
    is larger where clusters differ less than such trials would, and then lowered by (t at its own degrees of freedom /
    t at the clusters')**2, since a spread over few clusters is itself uncertain. Two steps are added, both towards
    width: unequal clusters count as Kish's (sum m)**2 / (sum m**2) of them; and the spread is shrunk towards the
    largest possible, by the weight of one cluster against ``events``, the clusters' worth of the rarer outcome. So,
    where next to nothing happened, 0 of 100 over ten scenes is 0 of 10, and 1 of 100 is hardly more.
    """
    sizes = np.array([len(values) for values in groups], dtype=float)
    means = np.array([_mean(values) for values in groups])
    clusters = float(sizes.sum() ** 2 / (sizes**2).sum())
    most = value * (1.0 - value)
    if len(groups) == 1 or most <= 0.0:
        return clusters
    spread = float((sizes**2 * (means - value) ** 2).sum() / ((sizes**2).sum() * most))
    events = clusters * min(value, 1.0 - value)
    size = 1.0 + (clusters - 1.0) * (events + 1.0) / (events * spread + 1.0)
    if size <= clusters:
        return size
    upper = (1.0 + LEVEL) / 2.0
    penalty = (_t(upper, max(size - 1.0, 1.0)) / _t(upper, max(clusters - 1.0, 1.0))) ** 2
    return max(size * penalty, clusters)


def _sign_flip_p(deltas: list[float], seed: int) -> float:
    # Whole numbers add up exactly, so that equal sums are seen to be equal.
    whole = np.round(np.array(deltas) * 1e12)
    result = _untyped("scipy.stats").permutation_test(
        (whole,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _spread(values: Iterable[float | None]) -> Spread:
    judged = [value for value in values if value is not None]
    if len(judged) <= 1:
        return Spread(seeds=len(judged), lowest=None, highest=None)
    return Spread(seeds=len(judged), lowest=min(judged), highest=max(judged))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _share(part: float, whole: int, if_nothing: float) -> float:
    return min(part / whole, 1.0) if whole else if_nothing


def _t(quantile: float, degrees: float) -> float:
    return float(_untyped("scipy.stats").t.ppf(quantile, degrees))


def _untyped(module: str) -> Any:
    """A library without type stubs; imported when first needed, since these take a second."""
    return importlib.import_module(module)
