"""Runs an experiment from its file to its report; what is done already is not done again."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from teachwhy.constitution import Constitution, load_constitution
from teachwhy.core.errors import ModelError
from teachwhy.core.records import Scenario
from teachwhy.core.store import Stage, Store, write_atomic
from teachwhy.evals.honeypots.suite import check_canaries, load_suite
from teachwhy.interventions.writers.roles import LIBRARY
from teachwhy.lab import stages
from teachwhy.lab.arms import Builder, Rows
from teachwhy.lab.counting import counter
from teachwhy.lab.experiment import load_experiment
from teachwhy.lab.fitness import check_fitness
from teachwhy.lab.later import run_phases
from teachwhy.lab.measure import count_samples
from teachwhy.lab.needs import require
from teachwhy.lab.progress import Bar
from teachwhy.lab.report import describe_persistence, print_summary, write_report
from teachwhy.lab.results import Fitness, Measured, Results
from teachwhy.lab.rl import RlInput, read_input
from teachwhy.lab.running import Running
from teachwhy.lab.work import Work

_PACKAGES = ("torch", "transformers", "trl", "peft", "openvino-genai", "inspect-ai")


class UnfitError(ModelError):
    """The start model fails the fitness check, and the run was not told to go on."""


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
    prompts = {
        phase.name: read_input(phase, constitution, experiment.measure.items) for phase in experiment.rl_phases()
    }
    builder = Builder(experiment, constitution, counter(experiment.start.model, experiment.recipe.max_length))
    builder.check()
    # the library's rows are made at once, so that a budget that is too small is found before anything is written
    built = builder.build(None) if experiment.roles["writer"] == LIBRARY else None
    root = out or Path("runs") / experiment.name
    store = Store(root)
    with store.lock():
        config = path.read_text(encoding="utf-8")
        write_atomic(root / "experiment.yaml", config)
        built = built or builder.build(store)
        work = Work(experiment, {arm: sum(part.tokens for part in built.arms[arm]) for arm in built.arms}, samples)
        run = Running(experiment, store, Bar(console), work)
        with run.bar.running(work.total()):
            results = _run(run, _Given(config, constitution, built, prompts, suite, unfit), console)
        table, conclusions = write_report(results, root / "report")
    page = root / "report" / "index.html"
    print_summary(table, conclusions, console, page, describe_persistence(results))
    return page


@dataclass(frozen=True)
class _Given:
    """What was read before anything is spent."""

    config: str
    """The experiment file."""
    constitution: Constitution
    built: Rows
    prompts: Mapping[str, RlInput]
    """By the name of the phase."""
    suite: Sequence[tuple[Scenario, Scenario]]
    unfit: bool
    """Go on with an unfit start."""


def _run(run: Running, given: _Given, console: Console) -> Results:
    experiment = run.experiment
    start = stages.start_stage(run.store, experiment)
    run.hashes["start"] = start.key
    measured = run.measure("start", "start", start, experiment.seeds[0])
    fitness = check_fitness(measured.verdicts, experiment.measure.instruments, experiment.held_out, forced=given.unfit)
    if not fitness.fit and not given.unfit:
        raise UnfitError(_say_unfit(fitness))
    if not fitness.fit:
        console.print("The start model is unfit; going on, and the report says so on top.")
    checkpoints: dict[tuple[str, int], stages.Checkpoint] = {}
    arms: list[Measured] = []
    for arm in experiment.all_arms():
        rows = stages.build_stage(run.store, experiment, arm, given.built.arms[arm], given.constitution)
        run.hashes[f"build {arm}"] = rows.key
        for seed in experiment.seeds:
            after = experiment.arms[arm].after if arm in experiment.arms else None
            arms.append(_arm(run, rows, (arm, seed), start if after is None else checkpoints[after, seed], checkpoints))
    stress = {
        name: stages.build_stage(run.store, experiment, name, parts, given.constitution)
        for name, parts in given.built.stress.items()
    }
    later = run_phases(run, checkpoints, given.prompts, stress)
    return Results(
        name=experiment.name,
        config=given.config,
        model=experiment.start.model + (f" + {experiment.start.organism}" if experiment.start.organism else ""),
        held_out=experiment.held_out,
        control=experiment.control,
        instruments=experiment.measure.instruments,
        fitness=fitness,
        start=measured,
        arms=tuple(arms),
        later=later,
        scenes=_count_scenes(given.suite),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        hashes=run.hashes,
    )


def _arm(
    run: Running,
    rows: Stage,
    who: tuple[str, int],
    start: stages.Checkpoint,
    checkpoints: dict[tuple[str, int], stages.Checkpoint],
) -> Measured:
    """Train an arm with a seed, keep its checkpoint, measure it."""
    arm, seed = who
    name = f"{arm}-s{seed}"
    with run.bar.stage(f"train {arm}, seed {seed}", run.work.train(arm)) as step:
        trained = stages.train_stage(run.store, name, rows, start, run.experiment.recipe, seed, step)
    run.hashes[f"train {name}"] = trained.key
    checkpoint = checkpoints[who] = stages.Checkpoint(folder=trained.folder / "model", key=trained.key)
    return run.measure(name, arm, checkpoint, seed).model_copy(
        update=stages.read_training(trained, run.experiment.recipe)
    )


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
