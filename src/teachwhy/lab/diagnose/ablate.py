"""``--ablate``: trains from the first stage without each source of rows in turn, and with less of all of them.

What a difference between stages cannot say, which rows did it, leaving them out can. Simpler than "influence" suggests:
one seed, one recipe, whole sources. A source that matters only together with another is not found.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Example, Record, Verdict
from teachwhy.core.stats import Difference, Rate, paired_difference, rate
from teachwhy.core.store import Stage as Stored
from teachwhy.core.store import Store, content_key, read_lines, write_lines
from teachwhy.diagnosis.hypotheses import Moved
from teachwhy.diagnosis.stages import harm_gap, observe
from teachwhy.evals.evaluation import Plan
from teachwhy.lab.counting import counter
from teachwhy.lab.dataset import read_examples, read_rows, to_example
from teachwhy.lab.diagnose.asked import Source
from teachwhy.lab.diagnose.measuring import EVALS, OURS, Stage, checkpoint_of
from teachwhy.lab.measure import VERDICTS
from teachwhy.lab.progress import Bar
from teachwhy.lab.stages import Checkpoint, measure_stage, train_stage
from teachwhy.lab.work import training
from teachwhy.organisms import STAGES
from teachwhy.training.recipe import Recipe

ALL = "all"
DOSES = {"a quarter": 0.25, "a half": 0.5}
_FEWEST = 2
_ORIGINS = ("intervention", "source")


@dataclass(frozen=True)
class Variant:
    """One training run of the ablation."""

    name: str
    rows: tuple[Example, ...]
    without: str = ""
    """The source that is left out, if one is."""
    dose: float = 1.0
    tokens: int = 0


class Trained(Record):
    """A variant, trained and measured."""

    name: str
    without: str
    dose: float
    rows: int
    tokens: int
    scene: Rate
    twin: Rate
    gap: Difference
    against_all: Difference | None
    """Its gap minus that of all rows; None for all rows themselves."""


def read_sources(data: Sequence[Source], first: str) -> dict[str, list[Example]]:
    """Source to its rows; of a single file, the interventions or files that its rows say they come from.

    Rows tied to the first stage are left out: it has been trained on them. Raises ConfigError.
    """
    later = [source for source in data if source.stage != first]
    if not later:
        raise ConfigError("--ablate leaves rows out of training: give the rows of the later stages with --data")
    if len(later) == 1:
        return _parted(later[0])
    return {source.name: read_examples(source.path) for source in later}


def _parted(source: Source) -> dict[str, list[Example]]:
    """A single source by what its own rows say that they come from, where they say it."""
    given = [*read_rows(source.path)]
    rows = [to_example(row, f"{source.name}/{number}") for number, row in enumerate(given)]
    for field in _ORIGINS:
        told = [str(row.get(field) or "") for row in given]
        if _FEWEST <= len(set(told)) <= _MOST_SOURCES:
            return {
                name or "the rest": [row for row, own in zip(rows, told, strict=True) if own == name]
                for name in sorted(set(told))
            }
    return {source.name: rows}


_MOST_SOURCES = 12
"""More kinds of rows than this in a single file are no sources that anybody would leave out one by one."""


def plan_variants(sources: dict[str, list[Example]], model: str, recipe: Recipe) -> list[Variant]:
    """All rows, all but each source, and smaller doses. Raises ConfigError where one is too small to train on."""
    count = counter(model, recipe.max_length)
    tokens = {id(row): count(row) for rows in sources.values() for row in rows}
    every = [row for rows in sources.values() for row in rows]
    random.Random("ablation/order").shuffle(every)
    plans = [Variant(ALL, tuple(every))]
    if len(sources) >= _FEWEST:
        for name, own in sources.items():
            left = {id(row) for row in own}
            plans.append(Variant(f"without {name}", tuple(row for row in every if id(row) not in left), without=name))
    plans += [Variant(name, tuple(every[: round(share * len(every))]), dose=share) for name, share in DOSES.items()]
    for one in plans:
        try:
            recipe.count_steps(len(one.rows))
        except ConfigError as error:
            raise ConfigError(f"--ablate, {one.name}: {error}") from None
    return [
        Variant(one.name, one.rows, one.without, one.dose, sum(tokens[id(row)] for row in one.rows)) for one in plans
    ]


def check_trainable(stage: Stage) -> None:
    """Refuse to ablate from a model that is not here. Raises ModelError."""
    if not stage.trainable:
        raise ModelError(
            f"--ablate trains from the first stage, and {stage.given!r} is not on this machine; give a folder of "
            "weights"
        )


def base_of(stage: Stage) -> str:
    """The model whose tokens are counted, and trained on."""
    known = STAGES.get(stage.given)
    return known[0].base if known else stage.given.removeprefix(OURS)


def recipe_of(stage: Stage) -> Recipe:
    """How variants are trained: as the last stage was, where that is known; by the usual recipe else."""
    known = STAGES.get(stage.given)
    return Recipe.model_validate(known[1].recipe) if known else Recipe()


def ablate(
    store: Store, first: Stage, variants: Sequence[Variant], recipe: Recipe, plan: Plan, bar: Bar, seconds: float
) -> dict[str, tuple[Verdict, ...]]:
    """Train and measure every variant; name to verdicts. ``seconds`` is the estimate of one measurement."""
    start = checkpoint_of(first, store)
    found: dict[str, tuple[Verdict, ...]] = {}
    for one in variants:
        name = f"ablation-{content_key(one.name)[:6]}"
        rows = _rows(store, name, one)
        with bar.stage(f"train {one.name}", training(one.tokens, recipe)) as step:
            trained = train_stage(store, name, rows, start, recipe, 0, step)
        with bar.stage(f"measure {one.name}", seconds) as step:
            checkpoint = Checkpoint(folder=trained.folder / "model", key=trained.key)
            measured = measure_stage(store, name, checkpoint, EVALS, plan, step)
        found[one.name] = tuple(read_lines(measured.folder / VERDICTS, Verdict))
    return found


def compare(
    variants: Sequence[Variant], measured: Mapping[str, Sequence[Verdict]], instrument: str
) -> tuple[tuple[Trained, ...], tuple[Moved, ...]]:
    """What every variant came to on one instrument, and what leaving each source out did."""
    whole = harm_gap(measured[ALL], instrument)
    trained: list[Trained] = []
    moved: list[Moved] = []
    for one in variants:
        verdicts = measured[one.name]
        scene, twin = observe(verdicts, instrument, "scene"), observe(verdicts, instrument, "twin")
        change = None if one.name == ALL else paired_difference(harm_gap(verdicts, instrument), whole)
        trained.append(
            Trained(
                name=one.name,
                without=one.without,
                dose=one.dose,
                rows=len(one.rows),
                tokens=one.tokens,
                scene=rate(scene),
                twin=rate(twin),
                gap=paired_difference(scene, twin),
                against_all=change,
            )
        )
        if one.without and change is not None:
            moved.append(Moved(source=one.without, rows=len(variants[0].rows) - len(one.rows), gap=change))
    return tuple(trained), tuple(moved)


def _rows(store: Store, name: str, variant: Variant) -> Stored:
    lines = [row.to_line() for row in variant.rows]
    return store.stage(
        f"rows-{name}",
        {"rows": content_key(lines)},
        lambda folder: write_lines(folder / "examples.jsonl", variant.rows),
    )
