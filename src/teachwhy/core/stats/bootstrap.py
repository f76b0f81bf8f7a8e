"""Intervals that speak about other scenes and other seeds at once, from records of seed, scene and sample.

What is drawn, and why, was chosen by simulation (``benchmarks/calibration.py`` prints the alternatives beside it):

- *Scenes* are drawn with replacement, each with all its seeds and samples. Drawing samples again inside them counts
  their noise twice (Davison and Hinkley 1997, section 3.8), and drawing scenes anew within each seed forgets that all
  seeds saw the same scenes.
- *Percentile and BCa* intervals from 7 scenes cover 86 to 90% at rates of 0.2 to 0.5, and a studentised bootstrap is
  erratic; the percentile interval at the levels that Student's t asks for (Hesterberg 2015, "expanded") covers 94 to
  97% while enough happened. Where fewer than ``FEW`` scenes' worth of the rarer outcome were seen no bootstrap works
  (40% at a rate of 0.02), and the interval is that of ``rate``. A difference takes the outer ends of the expanded
  bootstrap and of ``paired_difference``.
- *Seeds* are not drawn: two or three give a bootstrap next to nothing to draw from (from rates of 0.2 on, drawing every
  level covers 83 to 90%, and 89 to 96% where all seeds keep the same scenes). Their variance is estimated and enters
  with Student's t on their own degrees of freedom, combined with the scenes' interval by the root of the summed squares
  (MOVER: Zou and Donner 2008).

Simpler than the name "hierarchical" suggests: no model of the levels is fitted, and the noise of the samples counts
both in the scenes' and in the seeds' share, so intervals over several seeds are conservative (95 to 100%).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import ALIKE, Observation, by_cluster, checked, mean, student, untyped
from teachwhy.core.stats.paired import UPPER, paired_deltas, paired_difference
from teachwhy.core.stats.rates import kish, rate

DRAWS = 4_999
FEW = 4.0
"""Scenes' worth of the rarer outcome below which a bootstrap of a rate is not to be trusted."""

Over = Literal["scenes and seeds", "scenes"]


class Sampled(NamedTuple):
    """One judged or void sample of one training run."""

    seed: int
    """Of the training run, not of the sampler."""
    scene: str
    sample: int
    value: float | None
    """In [0, 1]; None is void."""


class Estimate(Record):
    """A rate or a difference with an interval over scenes, and over seeds where there are several."""

    value: float | None
    low: float
    high: float
    over: Over
    """What the interval speaks about: other scenes under these seeds, or other scenes and other seeds."""
    scenes: int
    """Scenes with anything judged; of a difference, in both arms."""
    seeds: tuple[int, ...]
    """Seeds with anything judged, one number an arm."""
    judged: int
    void: int
    says: str
    """What the interval cannot tell, in one sentence; empty where there is nothing to add."""


def bootstrap_rate(records: Sequence[Sampled], over: Over = "scenes and seeds", seed: int = 0) -> Estimate:
    """The mean over judged values of one arm, with a 95% interval over scenes and seeds.

    ``over`` "scenes" leaves the seeds as they are: what these checkpoints would do on other scenes. One seed always
    means that, and ``says`` says so: what another training run would give cannot be told from one. Seeds pull the
    interval wide: two of them by a factor of 12.7 on their own standard error, three by 4.3. The value is that of
    ``rate`` on the same records, and so is the interval's floor of width: never zero. Nothing judged: [0, 1].
    ``seed`` is that of the resampling.

    Simulated coverage with one seed, or over "scenes": 94 to 97% where ``FEW`` scenes' worth of both outcomes happened
    and 98 to 100% below; over several seeds 97 to 100%.

    Raises ValueError for a value outside [0, 1].
    """
    found = rate(_observations(records))
    runs = _by_seed(records)
    low, high = found.low, found.high
    if found.value is not None:
        low, high = _scenes_interval(records, found.value, (low, high), seed)
    spread = None
    if found.value is not None and over == "scenes and seeds":
        spread = seed_spread([_rate_shifts(runs, found.value, found.judged)])
    low, high = combined(found.value, (low, high), (0.0, 1.0), spread)
    return Estimate(
        value=found.value,
        low=low,
        high=high,
        over=over if len(runs) > 1 else "scenes",
        scenes=found.clusters,
        seeds=(len(runs),),
        judged=found.judged,
        void=found.void,
        says=_says(over, (len(runs),), spread),
    )


def bootstrap_difference(
    first: Sequence[Sampled], second: Sequence[Sampled], over: Over = "scenes and seeds", seed: int = 0
) -> Estimate:
    """First minus second, paired by scene, with a 95% interval over scenes and seeds.

    The value is that of ``paired_difference`` with the seeds pooled within scenes. Seeds are training runs of their own
    in each arm, not pairs, and are taken to vary alike in both arms: their variance is pooled, so that an arm with one
    seed borrows the other's. One seed in both arms: the interval is over scenes alone, and ``says`` says so. ``seed``
    is that of the resampling. Never of zero width; fewer than two shared scenes: [-1, 1].

    Simulated coverage with one seed 95 to 97% with 20 scenes or more, 97 to 100% with 7 or where next to nothing
    happened; over several seeds 95 to 100%.

    Raises ValueError for a value outside [0, 1].
    """
    sides = [_observations(first), _observations(second)]
    found = paired_difference(sides[0], sides[1], seed)
    low, high = found.low, found.high
    if found.value is not None and found.standard_error is not None:
        low, high = _outer((low, high), _expanded(paired_deltas(sides[0], sides[1]), None, seed))
    runs = [_by_seed(first), _by_seed(second)]
    spread = None
    if found.value is not None and over == "scenes and seeds":
        shared = by_cluster(sides[0]).keys() & by_cluster(sides[1]).keys()
        spread = seed_spread([_mean_shifts(run, shared) for run in runs])
    judged = sum(value is not None for side in sides for _, value in side)
    seeds = (len(runs[0]), len(runs[1]))
    low, high = combined(found.value, (low, high), (-1.0, 1.0), spread)
    return Estimate(
        value=found.value,
        low=low,
        high=high,
        over=over if max(seeds) > 1 else "scenes",
        scenes=found.clusters,
        seeds=seeds,
        judged=judged,
        void=len(first) + len(second) - judged,
        says=_says(over, seeds, spread),
    )


class SeedSpread(NamedTuple):
    """What the seeds add to the variance of the mean."""

    error: float
    degrees: int


def _observations(records: Sequence[Sampled]) -> list[Observation]:
    return [Observation(record.scene, record.value) for record in records]


def _by_seed(records: Sequence[Sampled]) -> dict[int, list[Observation]]:
    """The judged records of each seed; a seed that is all void is absent."""
    runs: dict[int, list[Observation]] = {}
    for seed, scene, _, value in records:
        if value is not None:
            runs.setdefault(seed, []).append(Observation(scene, checked(value, scene)))
    return runs


def _scenes_interval(
    records: Sequence[Sampled], value: float, safe: tuple[float, float], seed: int
) -> tuple[float, float]:
    """The expanded percentile interval where enough happened for it, else the safe one."""
    groups = list(by_cluster(_observations(records)).values())
    sizes = np.array([len(group) for group in groups], dtype=float)
    if kish(sizes) * min(value, 1.0 - value) < FEW:
        return safe
    low, high = _expanded(np.array([math.fsum(group) for group in groups]), sizes, seed)
    return (min(low, value), max(high, value)) if high - low > ALIKE else safe


def _expanded(sums: np.ndarray, sizes: np.ndarray | None, seed: int) -> tuple[float, float]:
    """The bootstrap interval of sum(sums) / sum(sizes) over clusters, at levels expanded for Student's t.

    Without ``sizes`` every cluster weighs the same.
    """
    count = len(sums)
    drawn = np.random.default_rng(seed).integers(count, size=(DRAWS, count))
    means = sums[drawn].mean(axis=1) if sizes is None else sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    reach = math.sqrt(count / (count - 1)) * student(UPPER, count - 1)
    level = float(untyped("scipy.stats").norm.cdf(-reach))
    low, high = np.quantile(means, [level, 1.0 - level])
    return float(low), float(high)


def _outer(one: tuple[float, float], two: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], two[0]), max(one[1], two[1])


def _rate_shifts(runs: dict[int, list[Observation]], value: float, judged: int) -> list[float]:
    """How far each seed pulls the pooled rate from its value, times the number of seeds."""
    return [len(runs) * math.fsum((seen or 0.0) - value for _, seen in run) / judged for run in runs.values()]


def _mean_shifts(runs: dict[int, list[Observation]], shared: set[str]) -> list[float]:
    """Each seed's mean distance from the scenes' means over the seeds, over the shared scenes that it was judged on."""
    groups = {seed: by_cluster(run) for seed, run in runs.items()}
    pooled = by_cluster([observation for run in runs.values() for observation in run])
    shifts: list[float] = []
    for group in groups.values():
        here = sorted(shared & group.keys())
        if here:
            shifts.append(mean([mean(group[name]) - mean(pooled[name]) for name in here]))
    return shifts


def seed_spread(arms: Sequence[Sequence[float]]) -> SeedSpread | None:
    """The standard error that seeds add, their variance pooled over the arms; None where no arm has two."""
    degrees = sum(len(arm) - 1 for arm in arms)
    if degrees < 1 or not all(arms):
        return None
    variance = sum(float(np.var(arm)) * len(arm) for arm in arms) / degrees
    return SeedSpread(error=math.sqrt(variance * sum(1.0 / len(arm) for arm in arms)), degrees=degrees)


def combined(
    value: float | None, ends: tuple[float, float], bounds: tuple[float, float], spread: SeedSpread | None
) -> tuple[float, float]:
    """The scenes' interval with the seeds' reach added to each side."""
    low, high = ends
    if value is not None and spread is not None:
        reach = student(UPPER, spread.degrees) * spread.error
        low, high = value - math.hypot(value - low, reach), value + math.hypot(high - value, reach)
    return max(low, bounds[0]), min(high, bounds[1])


def _says(over: Over, seeds: tuple[int, ...], spread: SeedSpread | None) -> str:
    if max(seeds) == 0:
        return "Nothing was judged."
    if over == "scenes":
        return "The interval is about these training runs alone."
    if max(seeds) == 1:
        return "One seed cannot tell what another training run would give; the interval is about other scenes alone."
    if spread is not None and spread.error < ALIKE:
        return f"All seeds came out alike; {max(seeds)} of them cannot rule out one that does not."
    if min(seeds) == 1:
        return "One arm has a single seed, which is taken to vary as the other arm's do."
    return ""
