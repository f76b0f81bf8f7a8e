"""How often each interval of core/stats holds the truth, and each test its level: simulated experiments, one table.

python benchmarks/calibration.py [--rounds 1000] [--only WORD] [--jobs 2]

Scenes and seeds have random effects on the logit scale, samples are binary, voids fall at random or by scene. A row is
a method in a setting: coverage of the 95% interval and its mean width, level (share of p < 0.05 with no effect) and
power (with the effect named). Rows that begin with "not used" are what was tried instead. Monte Carlo error of a
coverage of 95% is 0.7 points with 1,000 rounds; rows that draw many permutations take a half or less of the rounds.

Expect, on two cores: 1,000 rounds in 17 minutes. Most rows in use between 94 and 97%, none below 92%, which 3,000
rounds brought to 93.8% or more; well above 97% with 7 scenes, at a rate of 0.02 and over several seeds. Levels at most
6.2%.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from teachwhy.core import stats
from teachwhy.core.stats.observations import untyped

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
RATES = (0.02, 0.2, 0.5)
SCENES = (7, 20, 60)
LEVEL = 0.05
VOID = 0.05
"""Share of judges' and of gold choices that are void."""
PAIR = 2
"""Two judges are compared by kappa, more by alpha."""


class World(NamedTuple):
    """One arm's truth and how it is measured; standard deviations are on the logit scale."""

    rate: float
    scenes: int = 20
    seeds: int = 1
    samples: int = 5
    scene_sd: float = 1.2
    """Of what a scene does to both arms."""
    own_sd: float = 0.4
    """Of what a scene does to one training run alone."""
    seed_sd: float = 0.0
    void: float = 0.1
    by_scene: bool = True
    """Whether some scenes void far more than others."""

    def __str__(self) -> str:
        """As the table names it."""
        seeds = f", {self.seeds} seeds (sd {self.seed_sd:g})" if self.seeds > 1 or self.seed_sd else ""
        void = f", void {self.void:g}{' by scene' if self.by_scene else ''}" if self.void else ""
        return f"rate {self.rate:g}, {self.scenes} scenes x {self.samples}{seeds}{void}"


class Score(NamedTuple):
    """One simulated experiment."""

    covered: bool | None = None
    width: float | None = None
    alarm: float | None = None
    found: float | None = None


class Row(NamedTuple):
    """A method in a setting."""

    method: str
    setting: str
    one: Callable[[np.random.Generator], Score]
    share: float = 1.0
    """Of the rounds: dear rows take fewer."""


class Tally(NamedTuple):
    """What a row came to; None where the row does not ask."""

    method: str
    setting: str
    coverage: float | None
    width: float | None
    level: float | None
    power: float | None


def tally(row: Row, rounds: int) -> Tally:
    """Run a row."""
    rng = np.random.default_rng(2026)
    scores = [row.one(rng) for _ in range(max(1, round(rounds * row.share)))]
    columns = [[float(one) for score in scores if (one := score[place]) is not None] for place in range(4)]
    return Tally(row.method, row.setting, *(float(np.mean(column)) if column else None for column in columns))


# Experiments.


def expit(values: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.asarray(values, dtype=float)))


def logit(share: float) -> float:
    return math.log(share / (1.0 - share))


def _marginal(centre: float, spread: float) -> float:
    return float(WEIGHTS @ expit(centre + spread * NODES) / WEIGHTS.sum())


_CENTRES: dict[tuple[float, float], float] = {}


def _centre(rate: float, spread: float) -> float:
    """The logit around which the mean rate is ``rate``."""
    if (rate, spread) not in _CENTRES:

        def off(place: float) -> float:
            return _marginal(place, spread) - rate

        _CENTRES[rate, spread] = float(untyped("scipy.optimize").brentq(off, -40, 40))
    return _CENTRES[rate, spread]


def experiment(
    rng: np.random.Generator, world: World, effects: np.ndarray | None = None
) -> tuple[list[stats.Sampled], float]:
    """The records of one arm, and the rate that these very seeds have over all scenes."""
    if effects is None:
        effects = rng.normal(size=world.scenes)
    inner = math.hypot(world.scene_sd, world.own_sd)
    centre = _centre(world.rate, math.hypot(inner, world.seed_sd))
    shifts = world.seed_sd * rng.normal(size=world.seeds)
    own = world.own_sd * rng.normal(size=(world.seeds, world.scenes))
    rates = expit(centre + shifts[:, None] + world.scene_sd * effects + own)
    shape = (world.seeds, world.scenes, world.samples)
    hits = rng.random(shape) < rates[:, :, None]
    share = np.full(world.scenes, world.void)
    if world.by_scene and world.void:
        share = rng.beta(0.5 * world.void / (1.0 - world.void), 0.5, size=world.scenes)
    void = rng.random(shape) < share[None, :, None]
    records = [
        stats.Sampled(
            seed, f"{scene:03}", sample, None if void[seed, scene, sample] else float(hits[seed, scene, sample])
        )
        for seed in range(world.seeds)
        for scene in range(world.scenes)
        for sample in range(world.samples)
    ]
    return records, float(np.mean([_marginal(centre + shift, inner) for shift in shifts]))


def _observed(records: Sequence[stats.Sampled], prefix: str = "") -> list[stats.Observation]:
    return [stats.Observation(prefix + record.scene, record.value) for record in records]


def _arms(
    rng: np.random.Generator, world: World, second: float, seeds: int | None = None
) -> tuple[list[stats.Sampled], list[stats.Sampled], float]:
    """Two arms on the same scenes, and the difference that these very seeds have."""
    effects = rng.normal(size=world.scenes)
    one, first = experiment(rng, world, effects)
    two, other = experiment(rng, world._replace(rate=second, seeds=seeds or world.seeds), effects)
    return one, two, first - other


def _scored(found: Any, truth: float) -> Score:
    return Score(covered=found.low <= truth <= found.high, width=found.high - found.low)


# One simulated experiment of each kind.


def one_rate(rng: np.random.Generator, world: World) -> Score:
    records, truth = experiment(rng, world)
    return _scored(stats.rate(_observed(records)), truth)


def one_pair(rng: np.random.Generator, world: World, second: float) -> Score:
    one, two, truth = _arms(rng, world, second)
    found = stats.paired_difference(_observed(one), _observed(two))
    null, other, _ = _arms(rng, world, world.rate)
    alarm = stats.paired_difference(_observed(null), _observed(other)).p <= LEVEL
    return _scored(found, truth)._replace(found=found.p <= LEVEL, alarm=alarm)


def one_unpaired(rng: np.random.Generator, world: World, second: float) -> Score:
    def groups(rate: float) -> Any:
        one, _ = experiment(rng, world._replace(scenes=max(world.scenes // 2, 5)))
        two, _ = experiment(rng, world._replace(rate=rate))
        return stats.unpaired_difference(_observed(one, "a"), _observed(two, "b"))

    found = groups(second)
    return _scored(found, world.rate - second)._replace(found=found.p <= LEVEL, alarm=groups(world.rate).p <= LEVEL)


def one_bootstrap_rate(rng: np.random.Generator, world: World, over: Any = "scenes and seeds") -> Score:
    records, these = experiment(rng, world)
    found = stats.bootstrap_rate(records, over)
    return _scored(found, world.rate if found.over == "scenes and seeds" else these)


def one_bootstrap_difference(
    rng: np.random.Generator, world: World, second: float, seeds: int | None = None, over: Any = "scenes and seeds"
) -> Score:
    one, two, these = _arms(rng, world, second, seeds)
    found = stats.bootstrap_difference(one, two, over)
    wide = found.over == "scenes and seeds"
    score = _scored(found, world.rate - second if wide else these)
    missed = found.low <= 0 <= found.high
    return score._replace(alarm=not missed) if world.rate == second else score._replace(found=not missed)


def one_drawn(rng: np.random.Generator, world: World, crossed: bool) -> Score:
    """The plain percentile bootstrap that draws every level; crossed draws the same scenes for all seeds."""
    records, these = experiment(rng, world)
    shape = (world.seeds, world.scenes, world.samples)
    values = np.array([math.nan if r.value is None else r.value for r in records]).reshape(shape)
    draws = 500
    seeds = rng.integers(world.seeds, size=(draws, world.seeds, 1))
    scenes = rng.integers(world.scenes, size=(draws, 1 if crossed else world.seeds, world.scenes))
    drawn = values[seeds, scenes]
    drawn = np.take_along_axis(drawn, rng.integers(world.samples, size=drawn.shape), axis=3)
    judged = np.maximum((~np.isnan(drawn)).sum(axis=(1, 2, 3)), 1)
    low, high = np.quantile(np.nansum(drawn, axis=(1, 2, 3)) / judged, [0.025, 0.975])
    truth = world.rate if world.seeds > 1 else these
    return Score(covered=bool(low <= truth <= high), width=float(high - low))


def one_equivalence(rng: np.random.Generator, world: World, margin: float) -> Score:
    """Level at a true difference of exactly the margin; power at none."""
    one, two, _ = _arms(rng, world, world.rate - margin)
    wrong = stats.equivalence_p(stats.paired_difference(_observed(one), _observed(two)), margin) < LEVEL
    one, two, _ = _arms(rng, world, world.rate)
    right = stats.equivalence_p(stats.paired_difference(_observed(one), _observed(two)), margin) < LEVEL
    return Score(alarm=wrong, found=right)


def one_family(rng: np.random.Generator, world: World, effects: int, method: str) -> Score:
    """Eight arms against one control, some with an effect. Level: any false find (Holm), share of false finds (BH)."""
    names = [f"arm {place}" for place in range(8)]
    shared = rng.normal(size=world.scenes)
    control = _observed(experiment(rng, world, shared)[0])
    raw: dict[str, float] = {}
    for place, name in enumerate(names):
        there = world._replace(rate=world.rate / 4) if place < effects else world
        raw[name] = stats.paired_difference(_observed(experiment(rng, there, shared)[0]), control).p
    adjusted = stats.holm(raw) if method == "holm" else stats.benjamini_hochberg(raw)
    found = [name for name in names if adjusted[name] <= LEVEL]
    false = [name for name in found if name in names[effects:]]
    wrong = bool(false) if method == "holm" else len(false) / max(len(found), 1)
    return Score(alarm=wrong, found=None if not effects else (len(found) - len(false)) / effects)


class Lines(NamedTuple):
    """Two interventions' rates at the smallest and the largest budget."""

    first: tuple[float, float]
    second: tuple[float, float]


BUDGETS = (1e5, 3e5, 1e6)


def one_efficiency(rng: np.random.Generator, world: World, lines: Lines, over: Any) -> Score:
    inner = math.hypot(world.scene_sd, world.own_sd)
    effects = rng.normal(size=world.scenes)
    logs = np.log(BUDGETS)
    arms: list[list[stats.Run]] = []
    curves: list[tuple[float, float]] = []
    for ends in lines:
        low, high = (_centre(rate, inner) for rate in ends)
        slope = (high - low) / (logs[-1] - logs[0])
        curves.append((low - slope * logs[0], slope))
        runs: list[stats.Run] = []
        for tokens in BUDGETS:
            for _ in range(world.seeds):
                place = curves[-1][0] + slope * math.log(tokens) + world.seed_sd * rng.normal()
                here = world._replace(rate=_marginal(place, inner), seeds=1, seed_sd=0.0)
                runs.append(stats.Run(tokens, _observed(experiment(rng, here, effects)[0])))
        arms.append(runs)
    needed = (curves[1][0] + curves[1][1] * logs[-1] - curves[0][0]) / curves[0][1]
    truth = math.exp(logs[-1] - needed)
    found = stats.efficiency(arms[0], arms[1], over=over)
    low, high = found.low or 0.0, math.inf if found.high is None else found.high
    covered = {
        "interval": low <= truth <= high,
        "two pieces": not low < truth < high,
        "everything": True,
        "empty": False,
    }[found.shape]
    width = math.log(high / low) if found.shape == "interval" and low > 0.0 and high < math.inf else None
    return Score(covered=covered, width=width, found=found.shape == "interval")


class Panel(NamedTuple):
    """Judges of items in scenes."""

    prevalence: float
    right: float
    """How often a judge is right, at the median scene."""
    scenes: int
    items: int = 4
    judges: int = 3


def _rated(rng: np.random.Generator, panel: Panel) -> np.ndarray:
    """Choices (scenes, items, judges); NaN is void."""
    shape = (panel.scenes, panel.items, panel.judges)
    truth = rng.random(shape[:2]) < expit(logit(panel.prevalence) + rng.normal(size=(panel.scenes, 1)))
    wrong = rng.random(shape) > expit(logit(panel.right) + 0.8 * rng.normal(size=(panel.scenes, 1, 1)))
    return np.where(rng.random(shape) < VOID, math.nan, truth[:, :, None] ^ wrong)


def _items(choices: np.ndarray) -> list[stats.Rated]:
    names = [f"judge {judge}" for judge in range(choices.shape[2])]
    return [
        stats.Rated(f"{place:06}", {n: None if math.isnan(v) else float(v) for n, v in zip(names, item, strict=True)})
        for place, scene in enumerate(choices)
        for item in scene
    ]


def _agreement(panel: Panel, items: Sequence[stats.Rated]) -> stats.Agreement:
    if panel.judges == PAIR:
        return stats.cohens_kappa(items, "judge 0", "judge 1")
    return stats.krippendorffs_alpha(items)


_AGREEMENTS: dict[Panel, float] = {}


def one_agreement(rng: np.random.Generator, panel: Panel) -> Score:
    large = panel._replace(scenes=100_000, items=1)
    if large not in _AGREEMENTS:
        _AGREEMENTS[large] = _agreement_of(_rated(np.random.default_rng(1), large))
    return _scored(_agreement(panel, _items(_rated(rng, panel))), _AGREEMENTS[large])


def _agreement_of(choices: np.ndarray) -> float:
    """Alpha of one huge panel, whose kappa is the same to three places as its judges are alike."""
    alpha = untyped("krippendorff").alpha
    return float(alpha(reliability_data=choices.reshape(-1, choices.shape[2]).T, level_of_measurement="nominal"))


def one_corrected(rng: np.random.Generator, world: World, sensitivity: float, specificity: float, gold: int) -> Score:
    records, _ = experiment(rng, world._replace(own_sd=0.0))

    def says(truth: bool) -> float:
        return float(rng.random() < (sensitivity if truth else 1.0 - specificity))

    seen = [
        stats.Observation(record.scene, None if record.value is None else says(record.value > 0)) for record in records
    ]
    graded = [
        stats.Graded(f"gold {place // 2}", truth, None if rng.random() < VOID else says(truth))
        for truth in (True, False)
        for place in range(gold)
    ]
    found = stats.corrected_rate(seen, graded)
    return _scored(found, world.rate)._replace(found=found.value is not None)


# The table.


def rows() -> Iterator[Row]:
    """Every row, in the order of the modules."""
    yield from _rate_rows()
    yield from _difference_rows()
    yield from _bootstrap_rows()
    yield from _dose_rows()
    yield from _judge_rows()


def _rate_rows() -> Iterator[Row]:
    for value in RATES:
        for scenes in SCENES:
            for world in (
                World(value, scenes),
                World(value, scenes, samples=1, void=0.0),
                World(value, scenes, void=0.2, by_scene=False),
            ):
                yield Row("rate", str(world), partial(one_rate, world=world))


EFFECTS = {0.02: 0.02, 0.2: 0.05, 0.5: 0.2}


def _difference_rows() -> Iterator[Row]:
    for value, second in (*EFFECTS.items(), (0.1, 0.02)):
        for scenes in SCENES:
            world = World(value, scenes)
            setting = f"{world}; against {second:g}"
            yield Row("paired_difference", setting, partial(one_pair, world=world, second=second), 0.5)
    for value, second in EFFECTS.items():
        for scenes in SCENES:
            world = World(value, scenes)
            yield Row(
                "unpaired_difference",
                f"{world}; against {second:g}, half as many scenes",
                partial(one_unpaired, world=world, second=second),
                0.5,
            )
    for scenes in SCENES:
        world = World(0.5, scenes, samples=10)
        yield Row("equivalence_p, margin 0.1", str(world), partial(one_equivalence, world=world, margin=0.1), 0.5)
    for method in ("holm", "benjamini_hochberg"):
        for effects in (0, 4):
            world = World(0.4, 20)
            one = partial(one_family, world=world, effects=effects, method=method)
            yield Row(method, f"{world}; 8 arms, {effects} with an effect", one, 0.3)


def _bootstrap_rows() -> Iterator[Row]:
    for value in RATES:
        for scenes in SCENES:
            for seeds, spread in ((1, 0.4), (2, 0.0), (2, 0.4), (3, 0.0), (3, 0.4)):
                world = World(value, scenes, seeds, seed_sd=spread)
                yield Row("bootstrap_rate", str(world), partial(one_bootstrap_rate, world=world))
            world = World(value, scenes, 3, seed_sd=0.4)
            yield Row("bootstrap_rate over scenes", str(world), partial(one_bootstrap_rate, world=world, over="scenes"))
            for seeds in (2, 3):
                here = world._replace(seeds=seeds)
                for crossed in (False, True):
                    name = f"not used: percentile, {'scenes shared' if crossed else 'all levels nested'}"
                    yield Row(name, str(here), partial(one_drawn, world=here, crossed=crossed), 0.5)
    for value, second in EFFECTS.items():
        for scenes in SCENES:
            for seeds, other, spread in ((1, 1, 0.4), (2, 2, 0.4), (3, 3, 0.0), (3, 3, 0.4), (3, 1, 0.4)):
                world = World(value, scenes, seeds, seed_sd=spread)
                arms = partial(one_bootstrap_difference, world=world, second=second, seeds=other)
                yield Row("bootstrap_difference", f"{world}; against {second:g} with {other}", arms)
    for seeds in (1, 3):
        world = World(0.3, 20, seeds, seed_sd=0.4)
        null = partial(one_bootstrap_difference, world=world, second=0.3)
        yield Row("bootstrap_difference", f"{world}; against 0.3 with {seeds}", null)


LINES = {
    "3 times as good": Lines((0.5, 0.12), (0.5, 0.25)),
    "as good": Lines((0.5, 0.2), (0.5, 0.2)),
    "rare": Lines((0.1, 0.02), (0.1, 0.04)),
    "next to flat": Lines((0.3, 0.27), (0.3, 0.28)),
}


def _dose_rows() -> Iterator[Row]:
    for name, lines in LINES.items():
        for scenes in SCENES:
            world = World(0.5, scenes)
            one = partial(one_efficiency, world=world, lines=lines, over="scenes")
            yield Row(
                "efficiency over scenes", f"{name}; {scenes} scenes x 5; width in ln; power: an interval", one, 0.5
            )
        for seeds, spread in ((1, 0.0), (1, 0.3), (3, 0.3)):
            world = World(0.5, 20, seeds, seed_sd=spread)
            one = partial(one_efficiency, world=world, lines=lines, over="scenes and trainings")
            yield Row("efficiency", f"{name}; 20 scenes x 5, {seeds} seeds (sd {spread:g}) a budget", one, 0.5)


def _judge_rows() -> Iterator[Row]:
    for judges in (2, 3):
        for prevalence, right in ((0.2, 0.9), (0.5, 0.85), (0.2, 0.98), (0.05, 0.95)):
            for scenes in (10, 20, 60):
                panel = Panel(prevalence, right, scenes, judges=judges)
                name = "cohens_kappa" if judges == PAIR else "krippendorffs_alpha"
                setting = f"{prevalence:g} positive, judges right {right:g}, {scenes} scenes x 4"
                yield Row(name, setting, partial(one_agreement, panel=panel), 0.5)
    for value in RATES:
        for scenes in SCENES:
            for sensitivity, specificity, gold in ((0.9, 0.95, 60), (0.75, 0.8, 40), (0.55, 0.5, 40)):
                world = World(value, scenes)
                setting = f"{world}; judge {sensitivity:g}/{specificity:g}, gold 2 x {gold}; power: corrected"
                one = partial(one_corrected, world=world, sensitivity=sensitivity, specificity=specificity, gold=gold)
                yield Row("corrected_rate", setting, one, 0.5)


def power_table(rounds: int) -> None:
    """The formula beside simulated experiments."""
    print(f"\n{'planning: first, second, design':74} {'formula':>8} {'simulated':>9}")
    for first, second in ((0.5, 0.2), (0.4, 0.3), (0.2, 0.05), (0.05, 0.0), (0.3, 0.3)):
        for scenes, samples in ((7, 5), (20, 5), (60, 1)):
            design = stats.Design(scenes=scenes, samples=samples, void=0.1)
            formula = stats.paired_power(first, second, design)
            found = stats.simulated_power(first, second, design, rounds=rounds)
            name = f"{first:g} against {second:g}, {scenes} scenes x {samples}, icc 0.3, pairing 0.5, void 0.1"
            print(f"{name:74} {100 * formula:8.1f} {100 * found:9.1f}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _run(number: int, rounds: int) -> Tally:
    return tally(list(rows())[number], rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--only", default="", help="rows whose method holds this word")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    begun = time.perf_counter()
    numbers = [number for number, row in enumerate(rows()) if args.only in row.method]
    print(f"{'method':42} {'setting':92} {'cover':>6} {'width':>7} {'level':>6} {'power':>6}")
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for one in pool.map(partial(_run, rounds=args.rounds), numbers):
            width = "" if one.width is None else f"{one.width:.3f}"
            print(
                f"{one.method:42} {one.setting:92} {_percent(one.coverage):>6} {width:>7} {_percent(one.level):>6} "
                f"{_percent(one.power):>6}",
                flush=True,
            )
    if args.only in "power":
        power_table(min(args.rounds, 400))
    print(f"{args.rounds} rounds in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
