"""A rate with its interval: Clopper-Pearson's or Wilson's, on what clustered samples are worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import LEVEL, Observation, by_cluster, mean, student, untyped

SMALL = 40
"""Below this many clusters an interval is Clopper-Pearson's, from it on Wilson's (Brown, Cai and DasGupta 2001)."""


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


def rate(observations: Iterable[Observation]) -> Rate:
    """The mean over judged values, its 95% interval, and what the voids could do to it.

    One binary value per cluster gives the textbook interval: Clopper-Pearson's below 40, Wilson's from 40 on. Anything
    else gives the same interval on an effective sample size (see ``effective_size``). A single cluster counts as a
    single trial, whatever was sampled from it. Nothing judged: value None, interval [0, 1]. Never of zero width.

    Simulated coverage (``benchmarks/calibration.py``): 94 to 97% with 60 scenes at rates of 0.2 and above. Conservative
    elsewhere, 96 to 100% with 7 to 20 scenes or at a rate of 0.02, since Clopper-Pearson never covers less than it says
    and next to no events are taken for little evidence.

    Raises ValueError for a value outside [0, 1].
    """
    seen = list(observations)
    groups = by_cluster(seen)
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


def rule_of_three(n: int) -> float:
    """The exact one-sided 95% upper bound of a rate when 0 of ``n`` were seen; about 3/n, and 1 for n = 0."""
    if n < 0:
        raise ValueError(f"cannot have seen 0 of {n!r}; n must not be negative")
    return 1.0 - (1.0 - LEVEL) ** (1.0 / n) if n else 1.0


def effective_size(groups: Sequence[Sequence[float]], value: float) -> float:
    """How many independent yes-or-no trials the clusters are worth, after Korn and Graubard (1998).

    ``groups`` are the judged values of each cluster, ``value`` their overall mean. With one binary value per cluster,
    or with clusters that agree within themselves, it is the number of clusters. It is larger where clusters differ less
    than such trials would, and then lowered by (t at its own degrees of freedom / t at the clusters')**2, since a
    spread over few clusters is itself uncertain. Two steps are added, both towards width: unequal clusters count as
    Kish's (sum m)**2 / (sum m**2) of them; and the spread is shrunk towards the largest possible, by the weight of one
    cluster against ``events``, the clusters' worth of the rarer outcome. So, where next to nothing happened, 0 of 100
    over ten scenes is 0 of 10, and 1 of 100 is hardly more.
    """
    sizes = np.array([len(values) for values in groups], dtype=float)
    means = np.array([mean(values) for values in groups])
    clusters = kish(sizes)
    most = value * (1.0 - value)
    if len(groups) == 1 or most <= 0.0:
        return clusters
    spread = float((sizes**2 * (means - value) ** 2).sum() / ((sizes**2).sum() * most))
    events = clusters * min(value, 1.0 - value)
    size = 1.0 + (clusters - 1.0) * (events + 1.0) / (events * spread + 1.0)
    if size <= clusters:
        return size
    upper = (1.0 + LEVEL) / 2.0
    penalty = (student(upper, max(size - 1.0, 1.0)) / student(upper, max(clusters - 1.0, 1.0))) ** 2
    return max(size * penalty, clusters)


def kish(sizes: np.ndarray) -> float:
    """How many equal clusters are worth these unequal ones (Kish 1965)."""
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def interval(count: float, size: float, small: bool) -> tuple[float, float]:
    """The 95% interval of ``count`` of ``size`` trials, neither need be whole: Clopper-Pearson's where ``small``."""
    confint = untyped("statsmodels.stats.proportion").proportion_confint
    low, high = confint(count, size, alpha=1.0 - LEVEL, method="beta" if small else "wilson")
    return max(float(low), 0.0), min(float(high), 1.0)


def _rate_interval(groups: list[list[float]], value: float) -> tuple[float, float]:
    near = round(value, 12)  # a probability may underflow, and Beta's quantiles overflow beside 0
    size = effective_size(groups, near)
    low, high = interval(near * size, size, small=len(groups) < SMALL)
    # At 0 and 1 rounding puts Wilson's bound just past the value.
    return min(low, value), max(high, value)


def _share(part: float, whole: int, if_nothing: float) -> float:
    return min(part / whole, 1.0) if whole else if_nothing
