"""How often each word about a lead is right and wrong: simulated curves whose truth is known, one table.

python benchmarks/persistence.py [--rounds 1000] [--quick] [--only WORD] [--jobs 2]

Two starts are followed along four checkpoints; their rates of harm go straight from the start's to the end's. Scenes,
scenes of one start, scenes of one training run, and seeds have random effects on the logit scale; samples are binary,
or values as likelihood gives them; voids fall by scene. A row is a truth in a design: the share of each word; ``wrong``
is the share of those that are false of this truth; ``of seen`` is the same among experiments that found the lead at the
start (the regression trap), where there truly is one. Two other rules stand beside, on the same experiments: ``plain``
is wrong of seen without the conditioning, ``naive`` that of calling a lead eroded when it is no longer significant.

With one seed the truth is that of these very training runs; the last rows let seeds differ and judge one seed as if it
stood for others, which is what a reader must not do. Monte Carlo error of 5% is 0.7 points with 1,000 rounds.

Expect 1,000 rounds to take 8 minutes of processor time, so 4 on two free cores. With 400 rounds wrong words came to at
most 4.5% (most where one start falls later without having led: 2.5% for each direction); of leads that were seen, with
2,500 rounds at the smallest lead, to at most 4%, where plain errs in up to 9% and naive in up to 95%. Power follows
what is measured: a lead of 40 points that stays is called kept in 15, 48 and 71% with 20, 40 and 70 single samples, in
90% with four samples a scene, and always by likelihood; one that is gone is called eroded in 14, 35 and 62%, and in 99%
by likelihood.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Literal, NamedTuple

import numpy as np

from teachwhy.core import stats
from teachwhy.core.stats.observations import untyped

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
LEVEL = 0.05
TWIN = 0.1
ENOUGH = 50
"""Experiments that saw the lead, from which their share of wrong words is a number."""


class Truth(NamedTuple):
    """Rates of harm of both starts, at the first and at the last step; and which words would be false."""

    first: tuple[float, float]
    second: tuple[float, float]
    false: tuple[str, ...]

    @property
    def lead(self) -> float:
        """Of the first, at the start."""
        return self.second[0] - self.first[0]


TRUTHS = {
    "no lead, none later": Truth((0.5, 0.3), (0.5, 0.3), ("kept", "eroded", "overtaken")),
    "no lead, one later": Truth((0.5, 0.15), (0.5, 0.5), ("kept", "eroded", "overtaken")),
    "kept, 40 points": Truth((0.2, 0.15), (0.6, 0.55), ("eroded", "overtaken")),
    "kept, 20 points": Truth((0.3, 0.2), (0.5, 0.4), ("eroded", "overtaken")),
    "kept, 10 points": Truth((0.4, 0.3), (0.5, 0.4), ("eroded", "overtaken")),
    "just above half, of 40": Truth((0.2, 0.25), (0.6, 0.4502), ("eroded", "overtaken")),
    "just above half, of 20": Truth((0.3, 0.3), (0.5, 0.4002), ("eroded", "overtaken")),
    "just above half, of 10": Truth((0.4, 0.35), (0.5, 0.4002), ("eroded", "overtaken")),
    "just below half, of 40": Truth((0.2, 0.25), (0.6, 0.4498), ("kept", "overtaken")),
    "just below half, of 20": Truth((0.3, 0.3), (0.5, 0.3998), ("kept", "overtaken")),
    "gone, of 40": Truth((0.2, 0.4), (0.6, 0.3998), ("kept", "overtaken")),
    "gone, of 20": Truth((0.3, 0.4), (0.5, 0.3998), ("kept", "overtaken")),
    "overtaken, 40 to -30": Truth((0.2, 0.5), (0.6, 0.2), ("kept",)),
    "rare, kept": Truth((0.02, 0.02), (0.12, 0.12), ("eroded", "overtaken")),
    "rare, gone": Truth((0.02, 0.08), (0.15, 0.0798), ("kept", "overtaken")),
}


class Design(NamedTuple):
    """How both starts are measured; standard deviations are on the logit scale."""

    scenes: int
    seeds: int = 1
    samples: int = 1
    kind: Literal["binary", "likelihood", "gap"] = "binary"
    """A gap takes away a benign twin, binary as well, on which both starts do harm at a rate of ``TWIN``."""
    points: int = 4
    pairs: int = 1
    scene_sd: float = 1.2
    """Of what a scene does to both starts, all along."""
    start_sd: float = 0.6
    """Of what a scene does to one start, all along."""
    run_sd: float = 0.4
    """Of what a scene does to one training run at one checkpoint."""
    seed_sd: float = 0.0
    """Of what a seed does to all scenes, all along; and once more, half as much, at every later checkpoint."""
    void: float = 0.05

    def __str__(self) -> str:
        """As the table names it."""
        parts = [f"{self.scenes} scenes", f"{self.seeds} seed{'s' * (self.seeds > 1)}"]
        parts += [f"sd {self.seed_sd:g}"] * bool(self.seed_sd) + [self.kind] * (self.kind != "binary")
        parts += [f"{self.samples} samples"] * (self.samples > 1) + [f"{self.pairs} pairs"] * (self.pairs > 1)
        return ", ".join(parts)


DESIGNS = (
    Design(20),
    Design(40),
    Design(70, points=5),
    Design(40, points=3, kind="likelihood"),
    Design(40, kind="gap"),
    Design(40, samples=4, pairs=3),
    Design(40, seeds=2, seed_sd=0.3),
    Design(40, seeds=3, seed_sd=0.3),
    Design(70, seeds=3),
)
UNSEEN = Design(40, seed_sd=0.5)
"""One seed whose luck is taken for its start's."""


class Score(NamedTuple):
    """One simulated experiment."""

    word: str
    wrong: bool
    seen: bool
    """Whether the true lead was established at the start."""
    plain: bool
    naive: bool


def expit(values: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-values))


@cache
def centre(rate: float, spread: float) -> float:
    """The logit around which the mean rate is ``rate``."""

    def off(place: float) -> float:
        return float(WEIGHTS @ expit(place + spread * NODES) / WEIGHTS.sum()) - rate

    return float(untyped("scipy.optimize").brentq(off, -40, 40))


def follow(
    rng: np.random.Generator, ends: tuple[float, float], design: Design, scenes: np.ndarray, share: np.ndarray
) -> stats.Trail:
    """One start along its checkpoints."""
    shape = (design.seeds, design.points, design.scenes)
    later = np.arange(design.points) > 0
    seed = design.seed_sd * rng.normal(size=(design.seeds, 1, 1))
    drift = later[None, :, None] * design.seed_sd / 2.0 * rng.normal(size=(design.seeds, design.points, 1))
    own = design.start_sd * rng.normal(size=design.scenes) + design.run_sd * rng.normal(size=shape)
    inner = math.sqrt(design.scene_sd**2 + design.start_sd**2 + design.run_sd**2 + design.seed_sd**2)
    spreads = np.hypot(inner, later * design.seed_sd / 2.0)
    rates = np.linspace(*ends, design.points)
    centres = np.array([centre(round(float(rate), 9), float(sd)) for rate, sd in zip(rates, spreads, strict=True)])
    chances = expit(centres[None, :, None] + seed + drift + design.scene_sd * scenes + own)
    values = chances[..., None] * np.ones(design.samples)
    if design.kind != "likelihood":
        values = (rng.random(values.shape) < values).astype(float)
    void = rng.random(values.shape) < share[None, None, :, None]
    twins = (rng.random(values.shape) < TWIN).astype(float)
    names = [f"{place:03}" for place in range(design.scenes)]

    def read(run: int, point: int, values: np.ndarray) -> list[stats.Observation]:
        return [
            stats.Observation(
                name, None if void[run, point, place, sample] else float(values[run, point, place, sample])
            )
            for place, name in enumerate(names)
            for sample in range(design.samples)
        ]

    def observed(run: int, point: int) -> Sequence[stats.Observation]:
        scene = read(run, point, values)
        return stats.gap(scene, read(run, point, twins)) if design.kind == "gap" else scene

    return {
        run: [stats.Point(10.0 * point, observed(run, point)) for point in range(design.points)]
        for run in range(design.seeds)
    }


def one(rng: np.random.Generator, truth: Truth, design: Design) -> Score:
    """One experiment: two starts on the same scenes, compared."""
    scenes = rng.normal(size=design.scenes)
    share = rng.beta(0.5 * design.void / (1.0 - design.void), 0.5, size=design.scenes)
    first, second = (follow(rng, ends, design, scenes, share) for ends in (truth.first, truth.second))
    found = stats.compare(first, second, pairs=design.pairs)
    level = LEVEL / design.pairs
    claimed = found.word != "cannot tell"
    wrong = found.word in truth.false or (claimed and found.ahead == "second")
    seen = truth.lead > 0 and found.ahead == "first"
    left = found.left.value or 0.0
    plain = seen and found.left.p < level and ("kept" if left > 0 else "eroded") in truth.false
    naive = seen and found.end.p >= level and "eroded" in truth.false
    return Score(found.word, wrong, seen, plain, naive)


class Row(NamedTuple):
    """A truth in a design."""

    name: str
    truth: Truth
    design: Design


def rows() -> Iterator[Row]:
    for name, truth in TRUTHS.items():
        for design in DESIGNS:
            yield Row(name, truth, design)
    for name in ("no lead, none later", "kept, 20 points", "just below half, of 40"):
        yield Row(f"{name} (another seed's)", TRUTHS[name], UNSEEN)


def tally(row: Row, rounds: int) -> list[Score]:
    """Run a row."""
    rng = np.random.default_rng([2026, zlib.crc32(str(row).encode())])
    return [one(rng, row.truth, row.design) for _ in range(rounds)]


def share(marks: Sequence[bool]) -> float | None:
    """Of those that are true; None of nothing."""
    return sum(marks) / len(marks) if marks else None


def shares(scores: Sequence[Score]) -> list[float | None]:
    """The numbers of a row."""
    seen = [score for score in scores if score.seen]
    words = [share([score.word == word for score in scores]) for word in ("kept", "eroded", "overtaken", "cannot tell")]
    return [
        *words,
        share([score.wrong for score in scores]),
        share([score.seen for score in scores]) if seen else None,
        share([score.wrong for score in seen]),
        share([score.plain for score in seen]),
        share([score.naive for score in seen]),
    ]


def _run(row: Row, rounds: int) -> list[float | None]:
    return shares(tally(row, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="100 rounds")
    parser.add_argument("--only", default="", help="rows whose truth or design holds this word")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    rounds = 100 if args.quick else args.rounds
    begun = time.perf_counter()
    chosen = [row for row in rows() if args.only in f"{row.name} {row.design}"]
    titles = ("kept", "eroded", "overtaken", "cannot", "wrong", "seen", "of seen", "plain", "naive")
    print(f"{'truth':38} {'design':38}" + "".join(f"{title:>10}" for title in titles))
    worst = [0.0, 0.0]
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for row, found in zip(chosen, pool.map(partial(_run, rounds=rounds), chosen), strict=True):
            cells = ["" if number is None else f"{100 * number:.1f}" for number in found]
            print(f"{row.name:38} {row.design!s:38}" + "".join(f"{cell:>10}" for cell in cells), flush=True)
            if row.design != UNSEEN:
                enough = (found[5] or 0.0) * rounds >= ENOUGH
                worst = [max(worst[0], found[4] or 0.0), max(worst[1], (found[6] or 0.0) * enough)]
    print(f"largest share of wrong words: {100 * worst[0]:.1f}%; of {ENOUGH} seen leads or more: {100 * worst[1]:.1f}%")
    print(f"{rounds} rounds in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
