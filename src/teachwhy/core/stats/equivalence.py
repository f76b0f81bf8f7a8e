"""Whether a difference is shown to be smaller than a margin: two one-sided tests."""

from __future__ import annotations

import math

from teachwhy.core.stats.observations import LEVEL, student, unseen, untyped
from teachwhy.core.stats.paired import Difference


def equivalent(difference: Difference, margin: float) -> bool:
    """Whether the difference is shown to lie within ``margin`` of 0, at the 5% level.

    Two one-sided tests (Schuirmann 1987): the 90% t interval lies inside (-margin, margin). Without a standard error
    the 95% interval must lie there. False means *not shown*, never *different*.
    """
    low, high = difference.low, difference.high
    if difference.value is not None and difference.standard_error is not None:
        reach = student(LEVEL, difference.freedom) * difference.standard_error
        low, high = difference.value - reach, difference.value + reach
    return -margin < low and high < margin


def equivalence_p(difference: Difference, margin: float) -> float:
    """The p value of ``equivalent``, which is true where this is below 0.05: that the difference is ``margin`` or more.

    The larger of the two one-sided p values (Schuirmann 1987). Where all clusters were alike there is no standard error,
    and it is the chance that so large a share of other clusters as would carry the mean to the margin went unseen,
    doubled as ``equivalent`` asks for the 95% interval there. Fewer than two clusters: 1.
    """
    value = difference.value
    if value is None or difference.weakest <= 1:
        return 1.0
    if difference.standard_error is not None:
        # the nearer margin gives the larger of the two
        distance = (margin - abs(value)) / difference.standard_error
        return float(untyped("scipy.stats").t.sf(distance, difference.freedom))
    if abs(value) >= margin:
        return 1.0
    extreme = (difference.high - difference.low) / (2.0 * unseen(difference.weakest))
    share = min((margin - value) / (extreme - value), (margin + value) / (extreme + value), 1.0)
    return min(1.0, 2.0 * math.pow(1.0 - share, difference.weakest))
