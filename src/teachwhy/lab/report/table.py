"""Results as one plain table: checkpoints by what was measured, and each arm's paired difference to the control.

Void samples are counted beside each rate, never in it. Intervals cluster by scene; what seeds add is shown as a spread.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Literal

from teachwhy.core.records import Instrument, Split, Verdict
from teachwhy.core.stats import Observation, gap, holm, paired_difference, rate
from teachwhy.lab.report.sheets import (
    HONEYPOTS,
    START,
    Cell,
    Column,
    Contrast,
    Kind,
    Role,
    Row,
    Sheet,
    Table,
    is_plain,
    plain,
)
from teachwhy.lab.results import Results

Side = Literal["scene", "twin", "chat"]


def make_table(results: Results) -> Table:
    """Reduce the verdicts of a finished experiment to its table."""
    headline = results.fitness.headline
    order: list[Instrument] = [headline, *results.instruments]
    sheets = tuple(_sheet(results, instrument, headline) for instrument in dict.fromkeys(order))
    return Table(
        name=results.name,
        model=results.model,
        control=results.control,
        held_out=families(results),
        fit=results.fitness.fit,
        headline_fit=results.fitness.fits(headline),
        sheets=sheets,
        beside=make_beside(results),
    )


def families(results: Results) -> tuple[str, ...]:
    """The held-out families: those of the experiment, then any other that was measured on held-out scenes."""
    every = [results.start, *results.arms]
    seen = {
        verdict.family for one in every for verdict in one.verdicts if verdict.split == "held_out" and is_plain(verdict)
    }
    return (*results.held_out, *sorted(seen - set(results.held_out)))


def make_columns(held_out: Sequence[str]) -> tuple[Column, ...]:
    """The columns, in reading order."""
    harm = "share of harmful acts on scenes "
    apart = "harmful acts on scenes minus harmful acts on their benign twins, "
    work = "share of benign twins whose task was done, "
    return (
        _column("harm", "Train-like", harm + "like those trained on", "train_like"),
        _column("harm", "Held-out", harm + "of families that no arm was trained on", "held_out"),
        *(_column("harm", plain(name), f"{harm}of {plain(name)}, held out", "held_out", name) for name in held_out),
        _column("gap", "Gap, train-like", apart + "train-like", "train_like"),
        _column("gap", "Gap, held-out", apart + "held-out", "held_out"),
        _column("done", "Work done, train-like", work + "train-like", "train_like"),
        _column("done", "Work done, held-out", work + "held-out", "held_out"),
        _column("chat", "Chat", "share of harmful answers when a person asks for advice in chat, without tools"),
        _column("void", "Void", "share of samples on scenes and twins that could not be judged"),
    )


def _column(kind: Kind, title: str, about: str, split: Split | None = None, family: str | None = None) -> Column:
    key = "/".join(part for part in (kind, split, family) if part is not None)
    return Column(key=key, title=title, about=about, kind=kind, split=split, family=family)


Runs = dict[int, list[Verdict]]
"""Seed to the verdicts that a sheet is about."""


def _sheet(results: Results, instrument: Instrument, headline: Instrument) -> Sheet:
    runs = _runs(results, lambda verdict: verdict.instrument == instrument and is_plain(verdict))
    return _fill(results, instrument, make_columns(families(results)), runs, headline=instrument == headline)


def make_beside(results: Results) -> tuple[Sheet, ...]:
    """A sheet for each other eval, and one for the scenes under other conditions; none for what was not measured."""
    found: dict[str, list[Column]] = {}
    for one in [results.start, *results.arms]:
        for verdict in one.verdicts:
            if not is_plain(verdict) or verdict.dimension in _BESIDE:
                column = _other(verdict)
                columns = found.setdefault(verdict.eval, [])
                if column not in columns:
                    columns.append(column)
    return tuple(
        _fill(
            results,
            name if name != HONEYPOTS else "honeypots, beside the headline",
            columns,
            _runs(results, lambda verdict, name=name: verdict.eval == name),
        )
        for name, columns in found.items()
    )


_BESIDE = ("attempted", "decided", "judged_harmful", "aware")
"""What is found on scenes as they are written beside harm and work."""


def _other(verdict: Verdict) -> Column:
    split = verdict.split if verdict.eval == HONEYPOTS else None
    # the public harness is a grid of conditions, and no table holds a column for each
    condition = verdict.condition if verdict.eval == HONEYPOTS else ""
    where = [verdict.side, *([plain(split)] if split else []), condition]
    within = ", ".join(part for part in where if part)
    return Column(
        key="/".join(("other", verdict.instrument, verdict.dimension, within)),
        title=f"{plain(verdict.dimension).capitalize()}{f' ({within})' if within else ''}",
        about=f"share of {plain(verdict.dimension)}, by {verdict.instrument}{f', {within}' if within else ''}",
        kind="other",
        split=split,
        instrument=verdict.instrument,
        dimension=verdict.dimension,
        side=verdict.side,
        condition=condition,
    )


def _fill(
    results: Results, name: str, columns: Sequence[Column], runs: dict[str, Runs], headline: bool = False
) -> Sheet:
    rows = [
        Row(arm=arm, role=_role(arm, results), seeds=tuple(sorted(run)), cells=_cells(run, columns))
        for arm, run in runs.items()
    ]
    return Sheet(
        instrument=name,
        headline=headline,
        columns=tuple(columns),
        rows=tuple(rows),
        contrasts=tuple(chain.from_iterable(_contrasts(runs, results.control, column) for column in columns)),
    )


def _runs(results: Results, belongs: Callable[[Verdict], bool]) -> dict[str, Runs]:
    """Arm to seed to verdicts: the start, the control, then the arms in the order of the experiment."""
    names = dict.fromkeys([START, results.control, *(one.arm for one in results.arms)])
    found: dict[str, Runs] = {name: {} for name in names}
    for one in [results.start, *results.arms]:
        arm = START if one is results.start else one.arm
        found[arm].setdefault(one.seed, []).extend(verdict for verdict in one.verdicts if belongs(verdict))
    return found


def _role(arm: str, results: Results) -> Role:
    return "start" if arm == START else "control" if arm == results.control else "arm"


def _cells(runs: Runs, columns: Sequence[Column]) -> dict[str, Cell]:
    return {column.key: _cell(runs, column) for column in columns}


def _cell(runs: Runs, column: Column) -> Cell:
    pooled = list(chain.from_iterable(runs.values()))
    seeds = tuple(_mean(observe(runs[seed], column)) for seed in sorted(runs))
    if column.kind != "gap":
        found = rate(observe(pooled, column))
        numbers = found.model_dump(exclude={"clusters"})
        return Cell(**numbers, scenes=found.clusters, seeds=seeds)
    scene, twin = pick(pooled, column, "scene"), pick(pooled, column, "twin")
    apart, ours, theirs = paired_difference(scene, twin), rate(scene), rate(twin)
    return Cell(
        value=apart.value,
        low=apart.low,
        high=apart.high,
        floor=ours.floor - theirs.ceiling,
        ceiling=ours.ceiling - theirs.floor,
        judged=ours.judged + theirs.judged,
        void=ours.void + theirs.void,
        scenes=apart.clusters,
        seeds=seeds,
    )


def _contrasts(runs: dict[str, Runs], control: str, column: Column) -> list[Contrast]:
    """Every arm against the control, and the control against the start."""
    found = [_contrast(runs, arm, START if arm == control else control, column) for arm in runs if arm != START]
    corrected = holm({one.arm: one.p for one in found if one.arm != control})
    return [one.model_copy(update={"holm": corrected.get(one.arm)}) for one in found]


def _contrast(runs: dict[str, Runs], arm: str, against: str, column: Column) -> Contrast:
    ours, theirs = runs[arm], runs[against]
    base = observe(chain.from_iterable(theirs.values()), column)
    found = paired_difference(observe(chain.from_iterable(ours.values()), column), base)
    seeds = [
        _change(observe(ours[seed], column), observe(theirs[seed], column) if seed in theirs else base)
        for seed in sorted(ours)
    ]
    return Contrast(
        arm=arm,
        against=against,
        key=column.key,
        value=found.value,
        low=found.low,
        high=found.high,
        scenes=found.clusters,
        p=found.p,
        holm=None,
        error=found.standard_error,
        seeds=tuple(seeds),
    )


def observe(verdicts: Iterable[Verdict], column: Column) -> Sequence[Observation]:
    """What a column holds of some verdicts."""
    verdicts = list(verdicts)
    if column.kind == "other":
        return [Observation(one.scenario, one.value) for one in verdicts if _other(one).key == column.key]
    if column.kind == "gap":
        return gap(pick(verdicts, column, "scene"), pick(verdicts, column, "twin"))
    if column.kind == "void":
        sides = [*pick(verdicts, column, "scene"), *pick(verdicts, column, "twin")]
        return [Observation(cluster, float(value is None)) for cluster, value in sides]
    if column.kind == "done":
        return pick(verdicts, column, "twin", done=True)
    return pick(verdicts, column, "chat" if column.kind == "chat" else "scene")


def pick(verdicts: Iterable[Verdict], column: Column, side: Side, done: bool = False) -> list[Observation]:
    """The observations of one side.

    The likelihood instrument has no verdict about work: its twin's written acts are harmful or do the task, so the
    probability of doing it is what is left.
    """
    chosen: list[Observation] = []
    for verdict in verdicts:
        here = column.split in (None, verdict.split) and column.family in (None, verdict.family)
        if verdict.side != side or not here:
            continue
        if verdict.dimension == ("done" if done else "harmful"):
            chosen.append(Observation(verdict.scenario, verdict.value))
        elif done and verdict.instrument == "likelihood":
            left = None if verdict.value is None else 1.0 - verdict.value
            chosen.append(Observation(verdict.scenario, left))
    return chosen


def _mean(observations: Iterable[Observation]) -> float | None:
    known = [value for _, value in observations if value is not None]
    return math.fsum(known) / len(known) if known else None


def _change(first: Iterable[Observation], second: Iterable[Observation]) -> float | None:
    """The value of ``paired_difference`` alone: single seeds need no interval, and its p value is dear."""
    ours, theirs = _means(first), _means(second)
    deltas = [ours[name] - theirs[name] for name in sorted(ours.keys() & theirs.keys())]
    return math.fsum(deltas) / len(deltas) if deltas else None


def _means(observations: Iterable[Observation]) -> dict[str, float]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for cluster, value in observations:
        if value is not None:
            groups[cluster].append(value)
    return {cluster: math.fsum(values) / len(values) for cluster, values in groups.items()}
