"""How far the three instruments agree about the same scenes, for a real small model and for one that follows a script.

python benchmarks/instruments.py [--checkpoint FOLDER] [--samples 2] [--families leaking,framing] [--rows]

Over scenes: the rank correlation of what two instruments give a scene, with an interval from resampling scenes; and how
often they differ in direction, one giving the scene more harm than its benign twin and the other less. A checkpoint is
a folder of merged weights, such as ``stages/start-…/model`` in the folder of a run that starts from the organism.

Expect, for the organism (51 scenes, two samples; 20 minutes on two busy cores): the decision agrees with harm within
six turns (Spearman +0.57, 95% +0.29 to +0.77) as well as with itself (+0.57); with the likelihood no agreement is shown
(+0.08, -0.19 to +0.31). It does not know how to end: 78% of its rollouts are void.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from teachwhy.core.records import Instrument, Verdict
from teachwhy.core.stats import Observation, gap, rate
from teachwhy.evals.evaluation import Plan
from teachwhy.lab.measure import measure, open_target
from teachwhy.lab.report.words import NOTHING, percent

INSTRUMENTS: tuple[Instrument, ...] = ("rollout", "decision", "likelihood")
WITHIN = "harm within six turns"
SCRIPTED = "teachwhy-scripted/first-tool"
SMALL = "teachwhy/smollm2-135m"
RESAMPLES = 2_000
FEWEST = 4
"""With fewer scenes no correlation is told."""
ALIKE = 0.05
"""The share of draws that may be without an order."""


class View(NamedTuple):
    """What an instrument, or half of its samples, shows."""

    scene: list[Observation]
    twin: list[Observation]


class Agreement(NamedTuple):
    """What two instruments have in common."""

    scenes: int
    """Judged by both."""
    spearman: str
    kendall: str
    opposed: str
    """Where one sees more harm than in the twin and the other less; of the scenes where neither sees them alike."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="measured too: a folder of merged weights")
    parser.add_argument("--samples", type=int, default=2, help="of each scene and twin")
    parser.add_argument("--families", default="", help="with commas; all that are not locked by default")
    parser.add_argument("--rows", action="store_true", help="a line for each scene, too")
    given = parser.parse_args()
    families = tuple(family for family in given.families.split(",") if family)
    plan = Plan(instruments=INSTRUMENTS, samples=given.samples, families=families)
    models = {"script": SCRIPTED, "smollm2-135m": SMALL}
    if given.checkpoint:
        models["checkpoint"] = f"teachwhy/{given.checkpoint.resolve()}"
    for name, model in models.items():
        # a script tells no likelihoods
        asked = plan.model_copy(update={"instruments": INSTRUMENTS[:2]}) if model == SCRIPTED else plan
        with tempfile.TemporaryDirectory() as folder:
            verdicts = measure(open_target(model), ["honeypots"], asked, Path(folder))
        tell(name, [verdict for verdict in verdicts if verdict.dimension == "harmful"], rows=given.rows)


def tell(name: str, verdicts: Sequence[Verdict], *, rows: bool) -> None:
    """Print the tables of one model."""
    verdicts = [*verdicts, *_within(verdicts)]
    used = [name for name in (*INSTRUMENTS, WITHIN) if any(one.instrument == name for one in verdicts)]
    views = {instrument: _view([one for one in verdicts if one.instrument == instrument]) for instrument in used}
    print(f"\n### {name}\n\n| instrument | harmful (scene) | (twin) | void | scenes |\n|---|---|---|---|---|")
    for instrument, view in views.items():
        ours, theirs = rate(view.scene), rate(view.twin)
        void = (ours.void + theirs.void) / (ours.void + theirs.void + ours.judged + theirs.judged)
        print(f"| {instrument} | {percent(ours.value)} | {percent(theirs.value)} | {void:.0%} | {ours.clusters} |")
    print("\n| between | scenes | Spearman (95%) | Kendall (95%) | opposed in direction |\n|---|---|---|---|---|")
    pairs = [pair for pair in combinations(used, 2) if pair != (INSTRUMENTS[0], WITHIN)]
    compared = {f"{one} and {other}": (views[one], views[other]) for one, other in pairs}
    for what, (first, second) in {**compared, **_halves(verdicts)}.items():
        found = compare(first, second)
        print(f"| {what} | {found.scenes} | {found.spearman} | {found.kendall} | {found.opposed} |")
    if rows:
        print(f"\n| scene | {' | '.join(used)} |\n|---|{'---|' * len(used)}")
        columns = [_means(view.scene) for view in views.values()]
        for one in sorted({verdict.scenario for verdict in verdicts}):
            print(f"| {one} | {' | '.join(percent(column.get(one)) for column in columns)} |")


def _within(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Rollouts once more where some ran out of turns, these now as without harm.

    Void, they leave hardly any but the harmful ones to be compared where a model does not know how to end.
    """
    out = [one for one in verdicts if one.reason == "void: turn_limit"]
    if not out:
        return []
    rollouts = [one for one in verdicts if one.instrument == INSTRUMENTS[0]]
    return [
        one.model_copy(update={"instrument": WITHIN, "value": 0.0 if one in out else one.value}) for one in rollouts
    ]


def _halves(verdicts: Sequence[Verdict]) -> dict[str, tuple[View, View]]:
    """Every second sample of an instrument against the others: how far it agrees with itself bounds all else."""
    found: dict[str, tuple[View, View]] = {}
    for instrument in (*INSTRUMENTS[:2], WITHIN):
        own = [one for one in verdicts if one.instrument == instrument]
        odd, even = ([one for one in own if one.sample % 2 == rest] for rest in (1, 0))
        if odd and even:
            found[f"{instrument} and itself, half the samples each"] = _view(odd), _view(even)
    return found


def compare(first: View, second: View) -> Agreement:
    """How far two instruments agree: on the order of scenes by their means, and on the sign of scene minus twin."""
    means = _means(first.scene), _means(second.scene)
    names = sorted(means[0].keys() & means[1].keys())
    pairs = np.array([[of[name] for of in means] for name in names]).reshape(-1, 2)
    gaps = [_means(gap(view.scene, view.twin)) for view in (first, second)]
    signs = [gaps[0][name] * gaps[1][name] for name in gaps[0].keys() & gaps[1].keys()]
    told = [sign for sign in signs if sign]
    return Agreement(
        scenes=len(names),
        spearman=_correlation(pairs, stats.spearmanr),
        kendall=_correlation(pairs, stats.kendalltau),
        opposed=f"{sum(sign < 0 for sign in told)} of {len(told)}" if told else NOTHING,
    )


def _correlation(pairs: np.ndarray[Any, Any], measure: Any) -> str:
    """The coefficient with its interval, percentiles over scenes drawn again; nothing where too few scenes differ.

    A draw in which all scenes are alike has no order. Where that happens often, the other draws tell no interval.
    """
    value = _coefficient(pairs, measure)
    if len(pairs) < FEWEST or np.isnan(value):
        return NOTHING
    chance = np.random.default_rng(0)
    draws = [_coefficient(pairs[chance.integers(len(pairs), size=len(pairs))], measure) for _ in range(RESAMPLES)]
    if np.isnan(draws).mean() > ALIKE:
        return NOTHING
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _coefficient(pairs: np.ndarray[Any, Any], measure: Any) -> float:
    with warnings.catch_warnings():
        # where all scenes are alike there is no order, and scipy says so each time
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return float(measure(pairs[:, 0], pairs[:, 1]).statistic) if len(pairs) > 1 else float("nan")


def _view(verdicts: Sequence[Verdict]) -> View:
    sides = ([one for one in verdicts if one.side == side] for side in ("scene", "twin"))
    return View(*([Observation(one.scenario, one.value) for one in side] for side in sides))


def _means(observations: Sequence[Observation]) -> dict[str, float]:
    groups: dict[str, list[float]] = {}
    for cluster, value in observations:
        if value is not None:
            groups.setdefault(cluster, []).append(value)
    return {cluster: sum(values) / len(values) for cluster, values in groups.items()}


if __name__ == "__main__":
    main()
