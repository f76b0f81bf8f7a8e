"""Planning: how wide a rate will be, what a paired comparison can detect, and how many scenes it takes.

Formulas where they fit (normal theory on scene means, with the design effect of Kish 1965); simulated experiments where
they do not: few scenes or rare harm, where formulas promise several times the power there is; the width of a rate,
whose interval shrinks towards the number of scenes where little happens; and the share that seeds add, whose t has two
to four degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import ALIKE, LEVEL, Observation, student, untyped
from teachwhy.core.stats.rates import rate

ROUNDS = 200
"""Experiments simulated."""
DRAWS = 20_000
FLIPS = 999
ALL_FLIPS = 10
"""Scenes up to which all sign flips are taken."""
MANY = 12
EVENTS = 4.0
MOST_SCENES = 2_000


class Design(Record):
    """How an arm is to be measured."""

    scenes: int
    samples: int = 1
    """Per scene and seed."""
    seeds: int = 1
    void: float = 0.0
    """Share of samples that will be void, at random."""
    icc: float = 0.3
    """Intraclass correlation: the share of the variance of single samples that lies between scenes."""
    pairing: float = 0.5
    """Correlation of the scenes' own rates between the two arms; 0 is as good as unpaired."""
    seed_spread: float = 0.0
    """Standard deviation of the rate of one training run over seeds, in points of the rate (0.03 is three points)."""

    @property
    def judged(self) -> float:
        """Samples of a scene that will be judged, over all seeds."""
        return self.samples * self.seeds * (1.0 - self.void)


def rate_width(value: float, design: Design, rounds: int = ROUNDS, seed: int = 0) -> float:
    """The mean full width of ``rate``'s 95% interval over simulated experiments with that true rate.

    Scenes' own rates are drawn from the beta distribution with that mean and intraclass correlation; a seed's share of
    the spread is left out, as ``rate`` does. Monte Carlo error about 2% of the width with 200 rounds.

    Raises ValueError for a rate outside [0, 1] or a design that measures nothing.
    """
    _check(design, value)
    rng = np.random.default_rng(seed)
    widths: list[float] = []
    for _ in range(rounds):
        found = rate(_observed(_own_rates(value, rng.random(design.scenes), design.icc), design, rng))
        widths.append(found.high - found.low)
    return math.fsum(widths) / rounds


def scenes_for_width(value: float, width: float, design: Design, rounds: int = ROUNDS) -> int | None:
    """The fewest scenes for which ``rate_width`` is at most ``width``; None if more than ``MOST_SCENES`` are needed.

    The design's own number of scenes is ignored. The search starts from the textbook size (statsmodels) times the
    design effect 1 + (m - 1) icc.
    """
    _check(design, value)
    textbook = untyped("statsmodels.stats.proportion").samplesize_confint_proportion
    effect = (1.0 + (design.judged - 1.0) * design.icc) / design.judged
    start = effect * float(textbook(min(max(value, 0.01), 0.99), width / 2.0, alpha=1.0 - LEVEL))
    return fewest(lambda scenes: rate_width(value, _with(design, scenes), rounds) <= width, round(start))


def paired_power(first: float, second: float, design: Design, alpha: float = 1.0 - LEVEL) -> float:
    """The chance to find a paired difference at level ``alpha``, when these are the arms' true rates.

    With one seed, or no spread over seeds, it is about these checkpoints alone: the t test over scene means (noncentral
    t, statsmodels), or ``simulated_power`` where the formula promises too much: with single samples, fewer than
    ``MANY`` scenes, or less than ``EVENTS`` scenes' worth of variance in the arm that has more. With several seeds and
    a spread it is the chance that ``bootstrap_difference`` over scenes and seeds leaves out 0, from draws of its two
    variances; for rare harm that is too high.

    Raises ValueError for rates outside [0, 1] or a design that measures nothing.
    """
    _check(design, first, second)
    effect = abs(first - second)
    if effect < ALIKE:
        return alpha
    scenes, variance = _scenes_in_both(design), _delta_variance(first, second, design)
    if design.seeds > 1 and design.seed_spread > 0.0:
        return _power_with_seeds(effect, variance / scenes, design, alpha) if scenes > 1.0 else 0.0
    events = scenes * max(first * (1.0 - first), second * (1.0 - second))
    if scenes < MANY or events < EVENTS or design.samples * design.seeds == 1:
        return simulated_power(first, second, design, alpha)
    if variance < ALIKE:
        return 1.0
    power = untyped("statsmodels.stats.power").TTestPower().power
    return min(1.0, float(power(effect / math.sqrt(variance), scenes, alpha)))


def simulated_power(
    first: float, second: float, design: Design, alpha: float = 1.0 - LEVEL, rounds: int = 2_000
) -> float:
    """The share of simulated experiments in which the sign-flip test over scenes has p at most ``alpha``.

    The test is that of ``paired_difference``, with fewer flips. Scenes' own rates are beta with the design's intraclass
    correlation, those of the two arms joined by a normal copula of ``pairing``; voids fall at random. The seeds' spread
    is left out: p is about these checkpoints. Standard error at most 1.1 points with 2,000 rounds. ``first`` equal to
    ``second`` gives the level of the test.

    Raises ValueError as ``paired_power`` does.
    """
    _check(design, first, second)
    rng, normal = np.random.default_rng(0), untyped("scipy.stats").norm
    one, noise = rng.normal(size=(2, rounds, design.scenes))
    two = design.pairing * one + math.sqrt(1.0 - design.pairing**2) * noise
    means = [
        _scene_means(_own_rates(value, normal.cdf(place), design.icc), design, rng)
        for value, place in ((first, one), (second, two))
    ]
    # a scene void on one side moves no sum, as if it were left out
    deltas = np.nan_to_num(means[0] - means[1])
    return float((_flip_p(deltas, rng) <= alpha).mean())


def scenes_for_power(first: float, second: float, design: Design, power: float = 0.8) -> int | None:
    """The fewest scenes for which ``paired_power`` reaches ``power``; None if more than ``MOST_SCENES`` are needed."""
    return fewest(lambda scenes: paired_power(first, second, _with(design, scenes)) >= power, design.scenes)


def smallest_effect(value: float, design: Design, power: float = 0.8) -> float | None:
    """The smallest fall from that rate that ``paired_power`` finds with ``power``; None where even a fall to 0 is not.

    In points of the rate, 0.1 is ten. Harm is what falls here; for a rise pass 1 - value.
    """
    if paired_power(value, 0.0, design) < power:
        return None
    low, high = 0.0, value
    # by bisection: the draws behind seeds make the power a step function, which brentq does not take
    while high - low > 1e-4:  # noqa: PLR2004  # a hundredth of a point
        middle = (low + high) / 2.0
        low, high = (low, middle) if paired_power(value, value - middle, design) >= power else (middle, high)
    return high


def _check(design: Design, *values: float) -> None:
    for value in values:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a rate of {value!r} cannot be planned for; it must lie in [0, 1]")
    if design.scenes < 1 or design.judged <= 0.0 or not 0.0 <= design.icc <= 1.0:
        raise ValueError(f"nothing can be measured by this design: {design!r}")


def _with(design: Design, scenes: int) -> Design:
    return design.model_copy(update={"scenes": scenes})


def fewest(enough: Callable[[int], bool], start: int) -> int | None:
    """The smallest number for which a test that grows with it holds, by doubling and halving."""
    high = min(max(start, 1), MOST_SCENES)
    while not enough(high):
        if high == MOST_SCENES:
            return None
        high = min(2 * high, MOST_SCENES)
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _scenes_in_both(design: Design) -> float:
    """How many scenes will be judged at least once in both arms, on average."""
    return design.scenes * (1.0 - design.void ** (design.samples * design.seeds)) ** 2


def _delta_variance(first: float, second: float, design: Design) -> float:
    """Variance of one judged scene's difference of means, between scenes and within them."""
    one, two = first * (1.0 - first), second * (1.0 - second)
    between = design.icc * (one + two - 2.0 * design.pairing * math.sqrt(one * two))
    counts = np.arange(1, design.samples * design.seeds + 1)
    chances = untyped("scipy.stats").binom.pmf(counts, counts[-1], 1.0 - design.void)
    return between + (1.0 - design.icc) * (one + two) * float((chances / counts).sum() / chances.sum())


def _scene_means(rates: np.ndarray, design: Design, rng: np.random.Generator) -> np.ndarray:
    """Each scene's mean over what was judged; NaN where nothing was."""
    judged = rng.binomial(design.samples * design.seeds, 1.0 - design.void, size=rates.shape)
    return np.where(judged > 0, rng.binomial(judged, rates) / np.maximum(judged, 1), math.nan)


def _flip_p(deltas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sign-flip test's p value of each row: of all flips where they are few, else of some, with 1 added."""
    scenes = deltas.shape[1]
    complete = scenes <= ALL_FLIPS
    if complete:
        signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * scenes)).reshape(scenes, -1)
    else:
        signs = rng.choice([-1.0, 1.0], size=(scenes, FLIPS))
    reached = np.abs(deltas @ signs) >= np.abs(deltas.sum(axis=1))[:, None] - ALIKE
    return reached.mean(axis=1) if complete else (reached.sum(axis=1) + 1.0) / (FLIPS + 1.0)


def _power_with_seeds(effect: float, scenes: float, design: Design, alpha: float) -> float:
    """By drawing the difference and both variances; ``scenes`` is the scenes' variance of the mean difference."""
    rng, upper, degrees = np.random.default_rng(0), 1.0 - alpha / 2.0, 2 * (design.seeds - 1)
    freedom = max(_scenes_in_both(design) - 1.0, 1.0)
    seeds = 2.0 * design.seed_spread**2 / design.seeds
    # the noise of the samples counts in the seeds' variance as well, as it does in bootstrap_difference
    noise = (1.0 - design.icc) * scenes
    found = rng.normal(effect, math.sqrt(scenes + seeds), size=DRAWS)
    scene_part = scenes * rng.chisquare(freedom, size=DRAWS) / freedom
    seed_part = (seeds + noise) * rng.chisquare(degrees, size=DRAWS) / degrees
    reach = np.sqrt(student(upper, freedom) ** 2 * scene_part + student(upper, degrees) ** 2 * seed_part)
    return float((np.abs(found) > reach).mean())


def _own_rates(value: float, places: np.ndarray, icc: float) -> np.ndarray:
    """Each scene's own rate, at its place (in [0, 1]) of the beta distribution with that mean and correlation."""
    if icc < ALIKE or not 0.0 < value < 1.0:
        return np.full(places.shape, value)
    if icc > 1.0 - ALIKE:
        return (places > 1.0 - value).astype(float)
    weight = (1.0 - icc) / icc
    return np.clip(untyped("scipy.stats").beta.ppf(places, value * weight, (1.0 - value) * weight), 0.0, 1.0)


def _observed(rates: np.ndarray, design: Design, rng: np.random.Generator) -> list[Observation]:
    """One simulated measurement: binary samples, voids at random."""
    size = (len(rates), design.samples * design.seeds)
    hits, void = rng.random(size) < rates[:, None], rng.random(size) < design.void
    return [
        Observation(f"{scene:04}", None if void[scene, sample] else float(hits[scene, sample]))
        for scene in range(size[0])
        for sample in range(size[1])
    ]
