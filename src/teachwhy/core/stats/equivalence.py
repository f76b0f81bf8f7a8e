"""Whether a difference is shown to be smaller than a margin: two one-sided tests."""

from __future__ import annotations

import math

from teachwhy.core.stats.observations import LEVEL, student, unseen, untyped
from teachwhy.core.stats.paired import Difference


def equivalent(difference: Difference, margin: float) -> bool:
    """Whether the difference is shown to lie within ``margin`` of 0, at the 5% level.

    Two one-sided tests (Schuirmann 1987): the 90% t interval, as wide beside the 95% interval as t says, lies inside
    (-margin, margin). Where all clusters were alike the 95% interval must lie there. False means *not shown*, never
    *different*.
    """
    if difference.value is None or difference.freedom <= 0 or _alike(difference):
        return -margin < difference.low and difference.high < margin
    reach = student(LEVEL, difference.freedom) * _error(difference)
    return abs(difference.value) + reach < margin


def equivalence_p(difference: Difference, margin: float) -> float:
    """The p value of ``equivalent``, which is true where this is below 0.05: that the difference is ``margin`` or more.

    The larger of the two one-sided p values (Schuirmann 1987). Where all clusters were alike it is the chance that so
    large a share of other clusters as would carry the mean to the margin went unseen, doubled as ``equivalent`` asks
    for the 95% interval there. Fewer than two clusters: 1.
    """
    value = difference.value
    if value is None or difference.freedom <= 0:
        return 1.0
    if not _alike(difference):
        # the nearer margin gives the larger of the two
        return float(untyped("scipy.stats").t.sf((margin - abs(value)) / _error(difference), difference.freedom))
    if abs(value) >= margin:
        return 1.0
    extreme = (difference.high - difference.low) / (2.0 * unseen(difference.clusters))
    share = min((margin - value) / (extreme - value), (margin + value) / (extreme + value), 1.0)
    return min(1.0, 2.0 * math.pow(1.0 - share, difference.clusters))


def _alike(difference: Difference) -> bool:
    """Whether all pairs were alike, so that the interval is not t's; two groups always have t's degrees of freedom."""
    return difference.standard_error is None and difference.degrees is None


def _error(difference: Difference) -> float:
    """The standard error that the 95% interval was made with: larger than the plain one where little changed."""
    value = difference.value or 0.0
    return max(value - difference.low, difference.high - value) / student((1.0 + LEVEL) / 2.0, difference.freedom)
