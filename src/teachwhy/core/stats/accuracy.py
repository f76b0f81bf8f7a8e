"""A judge against a gold set, and a rate corrected for the judge's errors, with the gold set's own uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import ALIKE, LEVEL, Observation, by_cluster, mean, untyped
from teachwhy.core.stats.rates import Rate, effective_size, rate


class Graded(NamedTuple):
    """One gold item: what is true of it, and what the judge said."""

    cluster: str
    """The scene's id."""
    truth: bool
    said: float | None
    """In [0, 1], 1 for yes; None is void."""


class Accuracy(Record):
    """How a judge does on a gold set. Voids are counted beside both rates, never in them."""

    sensitivity: Rate
    """The share of true items of which it says yes."""
    specificity: Rate
    """The share of false items of which it says no."""
    youden: float | None
    """Sensitivity + specificity - 1: 0 is no better than guessing."""
    youden_low: float
    """Lower end of its 95% interval (MOVER: Zou and Donner 2008)."""
    usable: bool
    """Whether the judge is clearly better than guessing: ``youden_low`` is above 0."""


class Corrected(Record):
    """A rate as it would be read without the judge's errors."""

    value: float | None
    """None where the judge is not clearly better than guessing, or nothing was judged."""
    low: float
    high: float
    apparent: Rate
    """As the judge reads it."""
    accuracy: Accuracy


def accuracy(gold: Sequence[Graded]) -> Accuracy:
    """Sensitivity and specificity with their intervals, clustered by scene (see ``rate``).

    Raises ValueError where the judge said something outside [0, 1].
    """
    sensitivity, specificity = (rate(side) for side in _sides(gold))
    if sensitivity.value is None or specificity.value is None:
        youden, low = None, -1.0
    else:
        youden = sensitivity.value + specificity.value - 1.0
        low = youden - math.hypot(sensitivity.value - sensitivity.low, specificity.value - specificity.low)
    return Accuracy(sensitivity=sensitivity, specificity=specificity, youden=youden, youden_low=low, usable=low > 0.0)


def corrected_rate(observations: Sequence[Observation], gold: Sequence[Graded]) -> Corrected:
    """The rate corrected for the judge's errors (Rogan and Gladen 1978), with a 95% interval, both within [0, 1].

    ``observations`` are what the judge said of the items of interest, ``gold`` what it said of items whose truth is
    known; the two are taken to be independent, and the judge to err on both alike: on other kinds of items, or after an
    arm that changed how answers look, the correction does not hold. The interval carries the uncertainty of all three
    rates (Lang and Reiczigel 2014), with the effective sizes of clustered samples (see ``effective_size``) for the
    sizes. A judge that is not clearly better than guessing corrects nothing: value None, interval [0, 1]. Never of zero
    width.

    Simulated coverage 97 to 100%: conservative, the more so with few scenes or rates near 0.

    Raises ValueError for a value outside [0, 1].
    """
    apparent, judge = rate(observations), accuracy(gold)
    youden = judge.youden
    if apparent.value is None or youden is None or not judge.usable:
        return Corrected(value=None, low=0.0, high=1.0, apparent=apparent, accuracy=judge)
    specificity = judge.specificity.value or 0.0
    value = _within((apparent.value + specificity - 1.0) / youden)
    samples = [list(by_cluster(side).values()) for side in (observations, *_sides(gold))]
    low, high = _lang_reiczigel(*(_trials(groups) for groups in samples))
    low, high = _within(min(low, value)), _within(max(high, value))
    if high - low < ALIKE:
        # adjusted past 0 or 1: what the ends of the three intervals allow together
        low = _within((apparent.low + judge.specificity.low - 1.0) / youden)
        high = _within((apparent.high + judge.specificity.high - 1.0) / max(judge.youden_low, ALIKE))
    return Corrected(value=value, low=low, high=high, apparent=apparent, accuracy=judge)


class _Trials(NamedTuple):
    share: float
    size: float


def _sides(gold: Sequence[Graded]) -> tuple[list[Observation], list[Observation]]:
    """What counts for sensitivity and for specificity: said yes of what is true, said no of what is false."""
    yes = [Observation(item.cluster, item.said) for item in gold if item.truth]
    no = [Observation(item.cluster, None if item.said is None else 1.0 - item.said) for item in gold if not item.truth]
    return yes, no


def _trials(groups: Sequence[Sequence[float]]) -> _Trials:
    share = round(mean([value for group in groups for value in group]), 12)
    return _Trials(share, effective_size(groups, share))


def _lang_reiczigel(apparent: _Trials, sensitivity: _Trials, specificity: _Trials) -> tuple[float, float]:
    """Their interval for three independent binomial samples, not clipped; (0, 1) where the adjusted judge guesses."""
    z = float(untyped("scipy.stats").norm.ppf((1.0 + LEVEL) / 2.0))
    seen = _Trials((apparent.share * apparent.size + z**2 / 2.0) / (apparent.size + z**2), apparent.size + z**2)
    yes, no = (
        _Trials((one.share * one.size + 1.0) / (one.size + 2.0), one.size + 2.0) for one in (sensitivity, specificity)
    )
    youden = yes.share + no.share - 1.0
    if youden <= 0.0:
        return 0.0, 1.0
    value = (seen.share + no.share - 1.0) / youden
    seen_part, yes_part, no_part = (one.share * (1.0 - one.share) / one.size for one in (seen, yes, no))
    shift = 2.0 * z**2 * (value * yes_part - (1.0 - value) * no_part)
    error = math.sqrt(seen_part + value**2 * yes_part + (1.0 - value) ** 2 * no_part) / youden
    return value + shift - z * error, value + shift + z * error


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)
