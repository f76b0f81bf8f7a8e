"""How a rate moves with the tokens trained on, and how many times fewer tokens of one arm do what another does.

The curve is logit-linear in log tokens: monotone by form, two numbers an arm, so that three to five budgets can carry
it, with slopes that can be compared and an interval for the tokens at which a rate is reached. An isotonic curve
assumes less but is flat between budgets, so it has no such interval and answers no question between or beyond them. The
price is the form: ``Curve.misfit`` is the largest distance of a budget's rate from its curve; look at it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import LEVEL, Observation, by_cluster, student

Over = Literal["scenes and trainings", "scenes"]
Shape = Literal["interval", "everything", "two pieces", "empty"]

PASSES = 100
CLOSE = 1e-10
FEW = 2.0
"""Scenes' worth of the rarer outcome over all runs of an arm, below which its curve establishes nothing."""
STEP = 2.0
"""No step of the fit is longer than this, on the logit scale."""


class Run(NamedTuple):
    """One training run of an intervention, measured. Runs of the same budget are other seeds of it."""

    tokens: float
    """Trained on; above 0."""
    observations: Sequence[Observation]


class Curve(Record):
    """logit(rate) = ``intercept`` + ``slope`` * ln(tokens)."""

    intercept: float
    slope: float
    """Below 0: the rate falls as tokens grow."""
    slope_low: float
    slope_high: float
    budgets: tuple[float, ...]
    runs: int
    scenes: int
    over: Over
    """What the intervals speak about: other scenes, or other scenes and other training runs."""
    misfit: float
    """The largest distance between a budget's rate and the curve."""

    def at(self, tokens: float) -> float:
        """The rate at that many tokens."""
        return 1.0 / (1.0 + math.exp(-self.intercept - self.slope * math.log(tokens)))


class Efficiency(Record):
    """How many times fewer tokens of the first intervention reach what the second does at ``tokens``."""

    ratio: float | None
    """Tokens of the second over tokens of the first. None where the data do not single one out; see ``says``."""
    low: float | None
    """None is no lower bound; likewise ``high``. For ``two pieces`` both: what is *ruled out* lies between them."""
    high: float | None
    shape: Shape
    tokens: float
    """Of the second, whose rate is to be reached."""
    rate: float
    """That rate, by the second's curve."""
    measured: bool
    """Whether the first's own budgets enclose the tokens it would take; False is a guess beyond them."""
    over: Over
    says: str
    """The result in one sentence."""


def fit_curve(runs: Sequence[Run], over: Over = "scenes and trainings") -> Curve:
    """The logit-linear curve of one intervention over its budgets, with the slope's 95% interval.

    Fitted by Firth's (1993) penalised likelihood, which stays finite where a budget saw nothing or everything. The
    interval is by the jackknife over scenes (one step, as MacKinnon, Nielsen and Webb 2023) and Student's t; with
    ``over`` "scenes and trainings" and at least three runs, the scatter of the runs about the curve is added with its
    own t. Two runs leave no scatter to see, so the interval is over scenes alone.

    Raises ValueError for fewer than two budgets, tokens not above 0, fewer than two scenes, or values outside [0, 1].
    """
    fit = _fit(runs)
    trainings = over == "scenes and trainings" and fit.freedom > 0
    spread = _spread([fit], trainings)
    reach = math.sqrt(spread[1, 1])
    return Curve(
        intercept=float(fit.beta[0]),
        slope=float(fit.beta[1]),
        slope_low=float(fit.beta[1]) - reach,
        slope_high=float(fit.beta[1]) + reach,
        budgets=tuple(sorted({run.tokens for run in runs})),
        runs=len(runs),
        scenes=len(fit.pulls),
        over="scenes and trainings" if trainings else "scenes",
        misfit=fit.misfit,
    )


def efficiency(
    first: Sequence[Run],
    second: Sequence[Run],
    tokens: float | None = None,
    over: Over = "scenes and trainings",
) -> Efficiency:
    """The efficiency ratio of the first intervention to the second, with a 95% interval that may have no end.

    The rate to be reached is the second's at ``tokens``, by default its largest budget. Above 1: the first needs fewer.
    The interval is Fieller's (1954) on the log scale, from both curves' joint covariance over scenes (they share
    scenes) and, as in ``fit_curve``, over training runs. Where the first's slope is not established, Fieller's set is
    everything, or all but a middle piece: then ``ratio`` is None; so it is where less than ``FEW`` scenes' worth of the
    rarer outcome was seen in an arm. Where the two are established to move the rate in opposite directions it is empty.

    Simulated coverage over "scenes" 94 to 97%, up to 100% where little happens; with trainings it is conservative, 98
    to 100%. One training at each of three budgets leaves the scatter two to four degrees of freedom: expect no end to
    the interval in half of such experiments. Three seeds a budget mend that.

    Raises ValueError as ``fit_curve`` does.
    """
    one, two = _fit(first), _fit(second)
    tokens = max(run.tokens for run in second) if tokens is None else tokens
    if not tokens > 0:
        raise ValueError(f"the tokens to compare at are {tokens!r}; they must be above 0")
    trainings = over == "scenes and trainings" and one.freedom + two.freedom > 0
    spread = _spread([one, two], trainings)
    at = np.array([1.0, math.log(tokens)])
    # the second's level, the first's intercept and the first's slope
    turn = np.array([[0, 0, *at], [1, 0, 0, 0], [0, 1, 0, 0]], dtype=float)
    level, intercept, slope = turn @ np.concatenate([one.beta, two.beta])
    shape, ends = _fieller(level, intercept, slope, turn @ spread @ turn.T)
    if min(one.events, two.events) < FEW:
        shape, ends = "everything", (None, None)
    opposed = slope * two.beta[1] < 0 and shape == "interval" and _clear(two.beta[1], spread[3, 3])
    if opposed:
        shape, ends = "empty", (None, None)
    log_ratio = math.log(tokens) - (level - intercept) / slope
    ratio = _power(log_ratio) if shape == "interval" else None
    low, high = (None if end is None else _power(math.log(tokens) - end) for end in reversed(ends))
    needed = math.log(tokens) - log_ratio
    budgets = [math.log(run.tokens) for run in first]
    found = Efficiency(
        ratio=ratio,
        low=low,
        high=high,
        shape=shape,
        tokens=tokens,
        rate=float(1.0 / (1.0 + math.exp(-level))),
        measured=shape == "interval" and min(budgets) <= needed <= max(budgets),
        over="scenes and trainings" if trainings else "scenes",
        says="",
    )
    return found.model_copy(update={"says": _says(found)})


class _Fit(NamedTuple):
    beta: np.ndarray
    """Intercept and slope over ln(tokens), shape (2,)."""
    pulls: dict[str, np.ndarray]
    """Scene to how far the two move when it is left out."""
    sway: np.ndarray
    """Covariance of the two, were each run's logit off by a variance of 1; shape (2, 2)."""
    scatter: float
    """Sum of the runs' squared distances from the curve, on the logit scale."""
    freedom: int
    misfit: float
    events: float
    """Scenes' worth of the rarer outcome over all runs."""


def _fit(runs: Sequence[Run]) -> _Fit:
    groups = [by_cluster(run.observations) for run in runs]
    _check(runs, groups)
    log = np.log([run.tokens for run in runs])
    middle = float(log.mean())
    design = np.column_stack([np.ones(len(runs)), log - middle])
    sizes = np.array([sum(map(len, group.values())) for group in groups], dtype=float)
    totals = np.array([math.fsum(map(math.fsum, group.values())) for group in groups])
    beta = _firth(design, totals, sizes)
    rates = _logistic(design @ beta)
    weights = sizes * rates * (1.0 - rates)
    whole = design.T @ (weights[:, None] * design)
    back = np.array([[1.0, -middle], [0.0, 1.0]])
    pulls: dict[str, np.ndarray] = {}
    for scene in sorted(set[str]().union(*groups)):
        counts = np.array([len(group.get(scene, ())) for group in groups], dtype=float)
        off = np.array([math.fsum(group.get(scene, ())) for group in groups]) - counts * rates
        rest = design.T @ ((weights - counts * rates * (1.0 - rates))[:, None] * design)
        pulls[scene] = back @ -(np.linalg.pinv(rest) @ (design.T @ off))
    turned = back @ np.linalg.inv(whole)
    distances = (totals - sizes * rates) / weights
    return _Fit(
        beta=back @ beta,
        pulls=pulls,
        sway=turned @ (design.T @ (weights[:, None] ** 2 * design)) @ turned.T,
        scatter=float((distances**2).sum()),
        freedom=len(runs) - 2,
        misfit=float(np.abs(totals / sizes - rates).max()),
        events=math.fsum(
            len(group) * min(share, 1.0 - share) for group, share in zip(groups, totals / sizes, strict=True)
        ),
    )


def _check(runs: Sequence[Run], groups: Sequence[dict[str, list[float]]]) -> None:
    for run, group in zip(runs, groups, strict=True):
        if not 0.0 < run.tokens < math.inf:
            raise ValueError(f"a run has {run.tokens!r} tokens; they must be above 0")
        if not group:
            raise ValueError(f"nothing was judged in a run of {run.tokens:g} tokens; leave it out")
    if len({run.tokens for run in runs}) <= 1:
        raise ValueError("a curve needs runs of at least two budgets of tokens")
    if len(set[str]().union(*groups)) <= 1:
        raise ValueError("a curve needs at least two scenes")


def _firth(design: np.ndarray, totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Intercept and slope of a logistic regression by Firth's penalised score."""
    beta = np.zeros(design.shape[1])
    for _ in range(PASSES):
        rates = _logistic(design @ beta)
        weights = np.maximum(sizes * rates * (1.0 - rates), CLOSE)
        inverse = np.linalg.inv(design.T @ (weights[:, None] * design))
        leverage = weights * np.einsum("ri,ij,rj->r", design, inverse, design)
        step = inverse @ (design.T @ (totals - sizes * rates + leverage * (0.5 - rates)))
        longest = float(np.abs(design @ step).max())
        beta = beta + step * min(1.0, STEP / max(longest, CLOSE))
        if longest < CLOSE:
            break
    return beta


def _spread(fits: Sequence[_Fit], trainings: bool) -> np.ndarray:
    """Covariance of all fits' intercepts and slopes, times the square of Student's t for each of its parts."""
    upper = (1.0 + LEVEL) / 2.0
    scenes = sorted(set[str]().union(*(fit.pulls for fit in fits)))
    pulls = np.array([np.concatenate([fit.pulls.get(scene, np.zeros(2)) for fit in fits]) for scene in scenes])
    count = len(scenes)
    spread = student(upper, count - 1) ** 2 * (count - 1) / count * (pulls.T @ pulls)
    if trainings:
        freedom = sum(fit.freedom for fit in fits)
        variance = sum(fit.scatter for fit in fits) / freedom
        for place, fit in enumerate(fits):
            block = slice(2 * place, 2 * place + 2)
            spread[block, block] += student(upper, freedom) ** 2 * variance * fit.sway
    return spread


def _fieller(
    level: float, intercept: float, slope: float, spread: np.ndarray
) -> tuple[Shape, tuple[float | None, float | None]]:
    """The x at which intercept + slope * x may equal level: (level - intercept - slope x)**2 <= its squared reach.

    ``spread`` is the squared reach of level, intercept and slope. The ends are those of the interval, or of the piece
    that is ruled out.
    """
    up = np.array([1.0, -1.0, 0.0])
    rise = level - intercept
    square = slope**2 - spread[2, 2]
    half = rise * slope - float((up @ spread)[2])
    constant = rise**2 - float(up @ spread @ up)
    inside = half**2 - square * constant
    if square <= 0.0 and (inside <= 0.0 or square == 0.0):
        return "everything", (None, None)
    ends = sorted((half + sign * math.sqrt(max(inside, 0.0))) / square for sign in (-1.0, 1.0))
    return "interval" if square > 0.0 else "two pieces", (ends[0], ends[1])


def _clear(slope: float, square: float) -> bool:
    return slope**2 > square


def _logistic(values: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -500.0, 500.0)))


def _power(log_ratio: float) -> float:
    """A ratio from its logarithm, kept within what a float can hold."""
    return float(np.exp(np.clip(log_ratio, -700.0, 700.0)))


def _says(found: Efficiency) -> str:
    """The result in one sentence."""
    asked = f"what the second does at {found.tokens:,.0f} tokens (a rate of {100 * found.rate:.1f}%)"
    if found.shape == "empty":
        return f"No number of tokens of the first does {asked}: the two move the rate in opposite directions."
    if found.shape == "everything":
        return f"How many tokens of the first do {asked} cannot be told: too little changes with tokens, or happens."
    if found.low is None or found.high is None:
        return ""
    if found.shape == "two pieces":
        return (
            f"How many tokens of the first do {asked} cannot be told, as its slope is not established; ruled out is "
            f"only that it takes between {found.low:.2g} and {found.high:.2g} times fewer."
        )
    far = "" if found.measured else " That is beyond the budgets measured."
    return (
        f"The first takes {found.ratio:.2g} times fewer tokens (95% interval {found.low:.2g} to {found.high:.2g}) to "
        f"do {asked}.{far}"
    )
