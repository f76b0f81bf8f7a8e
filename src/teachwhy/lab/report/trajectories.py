"""Arms followed along a phase: seed by seed the checkpoints in order, each with what one column holds of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from teachwhy.core.records import Record, Verdict
from teachwhy.core.stats import Observation, Point, Trail, delta_interval, paired_deltas, rate
from teachwhy.lab.report.sheets import START, Column, is_plain
from teachwhy.lab.report.table import observe, pick
from teachwhy.lab.results import Measured, Results

Axis = Literal["step", "kl", "reward"]
SPLITS = {"held_out": "held-out", "train_like": "train-like"}


class Stop(NamedTuple):
    """One checkpoint, as far as the headline instrument sees it."""

    step: int
    kl: float | None
    reward: float | None
    verdicts: Sequence[Verdict]


class Walk(NamedTuple):
    """One arm along a phase."""

    arm: str
    runs: dict[int, list[Stop]]
    """Seed to its checkpoints; the first is the arm as it was, where it was measured."""

    def trail(self, column: Column, axis: Axis = "step") -> Trail:
        """What the statistics take in; checkpoints without a place on the axis are left out."""
        return {seed: list(_points(run, column, axis)) for seed, run in self.runs.items()}


class Mark(Record):
    """One arm at one checkpoint, seeds pooled, in one column."""

    arm: str
    key: str
    """Of the column."""
    step: int
    kl: float | None
    reward: float | None
    value: float | None
    low: float
    high: float
    scenes: int
    void: int


def find_phases(results: Results) -> list[str]:
    """The phases, in the order in which they were run."""
    return list(dict.fromkeys(one.phase for one in results.later))


def follow(results: Results, phase: str) -> list[Walk]:
    """Every arm of a phase, the control first; only seeds that went through the phase."""
    later = [one for one in results.later if one.phase == phase]
    before = {(one.arm, one.seed): one for one in results.arms}
    before.setdefault((START, results.start.seed), results.start)
    names = sorted(dict.fromkeys(one.arm for one in later), key=lambda arm: arm != results.control)
    found: list[Walk] = []
    for arm in names:
        runs: dict[int, list[Stop]] = {}
        for one in later:
            if one.arm == arm:
                first = before.get((arm, one.seed))
                runs.setdefault(one.seed, [] if first is None else [_stop(results, first)]).append(_stop(results, one))
        found.append(Walk(arm, {seed: sorted(run, key=lambda stop: stop.step) for seed, run in sorted(runs.items())}))
    return found


def pool_walks(name: str, walks: Sequence[Walk]) -> Walk:
    """Several arms as one, where they share seeds and steps: each scene holds what all of them did on it."""
    runs: dict[int, list[Stop]] = {}
    for seed in sorted(set[int].intersection(*(set(walk.runs) for walk in walks))) if walks else []:
        together = [{stop.step: stop for stop in walk.runs[seed]} for walk in walks]
        steps = sorted(set[int].intersection(*(set(run) for run in together)))
        runs[seed] = [Stop(step, None, None, [one for run in together for one in run[step].verdicts]) for step in steps]
    return Walk(name, {seed: run for seed, run in runs.items() if run})


def _stop(results: Results, one: Measured) -> Stop:
    headline = results.fitness.headline
    verdicts = [verdict for verdict in one.verdicts if verdict.instrument == headline and is_plain(verdict)]
    # before the first step of RL there is no divergence, and no reward yet
    kl, reward = (one.kl, one.reward) if one.phase else (0.0, None)
    return Stop(one.step if one.phase else 0, kl, reward, verdicts)


def _points(run: Iterable[Stop], column: Column, axis: Axis) -> Iterable[Point]:
    for stop in run:
        x = {"step": float(stop.step), "kl": stop.kl, "reward": stop.reward}[axis]
        if x is not None:
            yield Point(x, observe(stop.verdicts, column))


def make_marks(walk: Walk, column: Column) -> list[Mark]:
    """One arm's numbers at every step that all its seeds have."""
    found: list[Mark] = []
    shared = set[int].intersection(*({stop.step for stop in run} for run in walk.runs.values()))
    for step in sorted(shared):
        stops = [stop for run in walk.runs.values() for stop in run if stop.step == step]
        verdicts = [verdict for stop in stops for verdict in stop.verdicts]
        value, low, high, scenes, void = _number(verdicts, column)
        found.append(
            Mark(
                arm=walk.arm,
                key=column.key,
                step=step,
                kl=_mean(stop.kl for stop in stops),
                reward=_mean(stop.reward for stop in stops),
                value=value,
                low=low,
                high=high,
                scenes=scenes,
                void=void,
            )
        )
    return found


def _number(verdicts: Sequence[Verdict], column: Column) -> tuple[float | None, float, float, int, int]:
    if column.kind != "gap":
        plain = rate(observe(verdicts, column))
        return plain.value, plain.low, plain.high, plain.clusters, plain.void
    scene, twin = pick(verdicts, column, "scene"), pick(verdicts, column, "twin")
    apart = delta_interval(paired_deltas(scene, twin), 1.0)  # no p is shown, and that of a permutation is dear
    return apart.value, apart.low, apart.high, apart.clusters, sum(one.value is None for one in [*scene, *twin])


def void_share(walk: Walk, column: Column) -> float:
    """The larger share of void at both ends of the walk; ``column`` is that of void."""
    ends = [[run[0] for run in walk.runs.values()], [run[-1] for run in walk.runs.values()]]
    return max(_share([one for stop in stops for one in observe(stop.verdicts, column)]) for stops in ends)


def _share(observations: Sequence[Observation]) -> float:
    return sum(one.value or 0.0 for one in observations) / len(observations) if observations else 0.0


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
