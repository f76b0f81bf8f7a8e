"""Runs an experiment from its file to its report; what is done already is not done again."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from teachwhy.constitution import Constitution, load_constitution
from teachwhy.core.errors import ModelError
from teachwhy.core.records import Scenario
from teachwhy.core.store import Store, write_atomic
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.suite import check_canaries, load_suite
from teachwhy.interventions import Built
from teachwhy.interventions.writers.roles import LIBRARY
from teachwhy.lab import stages
from teachwhy.lab.arms import Builder
from teachwhy.lab.counting import counter
from teachwhy.lab.experiment import Experiment, load_experiment
from teachwhy.lab.fitness import check_fitness
from teachwhy.lab.measure import count_samples
from teachwhy.lab.needs import require
from teachwhy.lab.progress import Bar
from teachwhy.lab.report import print_summary, write_report
from teachwhy.lab.results import Fitness, Measured, Results

_TOKENS_A_SECOND = 400.0
_SAMPLES_A_SECOND = 2.0
_PACKAGES = ("torch", "transformers", "trl", "peft", "openvino-genai", "inspect-ai")


class UnfitError(ModelError):
    """The start model fails the fitness check, and the run was not told to go on."""


@dataclass
class _Run:
    """What the steps of one run share."""

    experiment: Experiment
    constitution: Constitution
    store: Store
    suite: Sequence[tuple[Scenario, Scenario]]
    samples: int
    """Of one measurement."""
    built: dict[str, list[Built]]
    bar: Bar
    hashes: dict[str, str]

    def plan(self, seed: int) -> Plan:
        """The measurement of a checkpoint of this seed."""
        return self.experiment.plan(seed)

    def measure_work(self) -> float:
        """Estimated seconds of one measurement."""
        return self.samples / _SAMPLES_A_SECOND

    def train_work(self, arm: str) -> float:
        """Estimated seconds of training an arm once."""
        return sum(part.tokens for part in self.built[arm]) * self.experiment.recipe.epochs / _TOKENS_A_SECOND

    def work(self) -> float:
        """Estimated seconds of the whole run."""
        checkpoints = 1 + len(self.experiment.seeds) * len(self.built)
        training = sum(self.train_work(arm) for arm in self.built) * len(self.experiment.seeds)
        return checkpoints * self.measure_work() + training


def run_experiment(path: Path, out: Path | None, console: Console, *, unfit: bool = False) -> Path:
    """Run the experiment in ``path`` and return the report's page.

    Everything that can be wrong with the file is found before anything is written or spent. Raises UnfitError when the
    start model fails its fitness check, unless ``unfit``.
    """
    experiment = load_experiment(path)
    unfit = unfit or experiment.unfit
    require("train")
    constitution = load_constitution(experiment.constitution, experiment.model_name, experiment.provider_name)
    check_canaries()
    suite = load_suite(experiment.measure.families, unlock=experiment.measure.unlock)
    # the tasks are made once for what is wrong with them: an axis, a judge, a folder of questions
    samples = count_samples(experiment.evals, experiment.plan(experiment.seeds[0]))
    stages.check_start(experiment)
    builder = Builder(experiment, constitution, counter(experiment.start.model, experiment.recipe.max_length))
    builder.check()
    # the library's rows are made at once, so that a budget that is too small is found before anything is written
    built = builder.build(None) if experiment.roles["writer"] == LIBRARY else None
    root = out or Path("runs") / experiment.name
    store = Store(root)
    with store.lock():
        write_atomic(root / "experiment.yaml", path.read_text(encoding="utf-8"))
        built = built or builder.build(store)
        run = _Run(experiment, constitution, store, suite, samples, built, Bar(console), {})
        with run.bar.running(run.work()):
            results = _run(run, path.read_text(encoding="utf-8"), console, unfit=unfit)
        table, conclusions = write_report(results, root / "report")
    page = root / "report" / "index.html"
    print_summary(table, conclusions, console, page)
    return page


def _run(run: _Run, config: str, console: Console, *, unfit: bool) -> Results:
    experiment = run.experiment
    start = stages.start_stage(run.store, experiment)
    run.hashes["start"] = start.key
    measured = _measure(run, "start", "start", start, experiment.seeds[0])
    fitness = check_fitness(measured.verdicts, experiment.measure.instruments, experiment.held_out, forced=unfit)
    if not fitness.fit and not unfit:
        raise UnfitError(_say_unfit(fitness))
    if not fitness.fit:
        console.print("The start model is unfit; going on, and the report says so on top.")
    arms = [_arm(run, arm, seed, start) for arm in experiment.all_arms() for seed in experiment.seeds]
    return Results(
        name=experiment.name,
        config=config,
        model=experiment.start.model + (f" + {experiment.start.organism}" if experiment.start.organism else ""),
        held_out=experiment.held_out,
        control=experiment.control,
        instruments=experiment.measure.instruments,
        fitness=fitness,
        start=measured,
        arms=tuple(arms),
        scenes=_count_scenes(run.suite),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        hashes=run.hashes,
    )


def _arm(run: _Run, arm: str, seed: int, start: stages.Checkpoint) -> Measured:
    recipe = run.experiment.recipe
    rows = stages.build_stage(run.store, run.experiment, arm, run.built[arm], run.constitution)
    name = f"{arm}-s{seed}"
    with run.bar.stage(f"train {arm}, seed {seed}", run.train_work(arm)) as step:
        trained = stages.train_stage(run.store, name, rows, start, recipe, seed, step)
    run.hashes[f"build {arm}"], run.hashes[f"train {name}"] = rows.key, trained.key
    checkpoint = stages.Checkpoint(folder=trained.folder / "model", key=trained.key)
    facts: Mapping[str, Any] = stages.read_training(trained)
    return _measure(run, name, arm, checkpoint, seed).model_copy(
        update={
            "rows": facts["rows"],
            "tokens": facts["tokens"],
            "steps": facts["steps"],
            "epochs": recipe.epochs,
            "loss": facts["final_loss"],
        }
    )


def _measure(run: _Run, name: str, arm: str, checkpoint: stages.Checkpoint, seed: int) -> Measured:
    with run.bar.stage(f"measure {name}", run.measure_work()) as step:
        stage = stages.measure_stage(run.store, name, checkpoint, run.experiment.evals, run.plan(seed), step)
    run.hashes[f"measure {name}"] = stage.key
    verdicts, transcripts = stages.read_measured(stage)
    return Measured(arm=arm, seed=seed, verdicts=verdicts, transcripts=transcripts)


def _count_scenes(suite: Sequence[tuple[Scenario, Scenario]]) -> dict[str, int]:
    families = [scene.family for scene, _ in suite]
    return {family: families.count(family) for family in sorted(set(families))}


def _say_unfit(fitness: Fitness) -> str:
    missed: Sequence[str] = [
        f"{check.name} is {'nothing judged' if check.value is None else f'{check.value:.2f}'}, "
        f"should be {'at least' if check.at_least else 'at most'} {check.bound:.2f}"
        for check in fitness.checks
        if not check.passed
    ]
    return f"the start model is unfit for this experiment: {'; '.join(missed)}. Go on all the same with --unfit"
