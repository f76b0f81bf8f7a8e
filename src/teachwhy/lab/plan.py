"""What an experiment would take, and what it could find, before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from teachwhy.constitution import Constitution, load_constitution
from teachwhy.core.errors import ModelError
from teachwhy.core.stats import Design, smallest_effect
from teachwhy.evals.honeypots.suite import load_suite
from teachwhy.interventions import Count
from teachwhy.interventions.writers.roles import LIBRARY
from teachwhy.lab.arms import Builder
from teachwhy.lab.counting import counter
from teachwhy.lab.estimate import estimate
from teachwhy.lab.experiment import Experiment, load_experiment
from teachwhy.lab.measure import count_samples
from teachwhy.lab.rl import read_input
from teachwhy.lab.work import Work
from teachwhy.models.catalogue import SMOLLM2

BASES = (0.1, 0.3, 0.6)
"""Rates of harm for which it is said which fall would be found."""
_HOUR = 3600
_HALF_AN_HOUR = 1800


def print_plan(path: Path, console: Console) -> None:
    """Say what an experiment trains and measures, about how long that takes, and the smallest fall it could find.

    Raises ConfigError in one line for whatever is wrong with the file, as the run would.
    """
    experiment = load_experiment(path)
    constitution = load_constitution(experiment.constitution, experiment.model_name, experiment.provider_name)
    # judges add no sample, and whoever plans may not have their keys yet: others stand in for them
    stand_ins = tuple(f"mockllm/{number}" for number, _ in enumerate(experiment.measure.judges))
    plan = experiment.plan(experiment.seeds[0]).model_copy(update={"judges": stand_ins})
    samples = count_samples(experiment.evals, plan)
    tokens = _print_arms(experiment, constitution, console)
    work = Work(experiment, tokens, samples)
    _print_phases(experiment, constitution, console)
    seeds = len(experiment.seeds)
    console.print(
        f"{work.checkpoints()} checkpoints, {seeds} seed{'s' if seeds > 1 else ''}; each is measured by "
        f"{samples} samples of {', '.join(experiment.evals)}: {work.checkpoints() * samples} in all."
    )
    if experiment.start.model == SMOLLM2:
        console.print(f"About {_say_time(work.total())} on two cores without a GPU.")
    _print_detectable(experiment, console)


def _count(experiment: Experiment, console: Console) -> Count:
    """The model's own tokens where it is at hand; else those of the model that ships, which come near."""
    try:
        return counter(experiment.start.model)
    except ModelError:
        console.print(f"{experiment.start.model} is not at hand: tokens are counted as {SMOLLM2} reads them.")
        return counter(SMOLLM2)


def _print_arms(experiment: Experiment, constitution: Constitution, console: Console) -> dict[str, int]:
    """The table of arms; their tokens."""
    builder = Builder(experiment, constitution, _count(experiment, console))
    table = Table(box=None, title=f"{experiment.name}: from {experiment.start.model}")
    for head in ("arm", "rows", "tokens", "steps", "after"):
        table.add_column(head, justify="left" if head in ("arm", "after") else "right")
    if experiment.roles["writer"] != LIBRARY:
        for request in builder.requests():
            console.print(estimate(request))
        tokens = {name: sum(part.tokens for part in arm.parts.values()) for name, arm in experiment.arms.items()}
        tokens |= {control: tokens[arm] for control, arm in experiment.controls.items()}
        rows = dict.fromkeys(tokens, "?")
        steps = rows
    else:
        built = builder.build(None).arms
        tokens = {arm: sum(part.tokens for part in parts) for arm, parts in built.items()}
        sizes = {arm: sum(len(part.rows) for part in parts) for arm, parts in built.items()}
        rows = {arm: str(size) for arm, size in sizes.items()}
        steps = {arm: str(experiment.recipe.count_steps(size)) for arm, size in sizes.items()}
    for arm in tokens:
        own = experiment.arms.get(arm)
        after = (own.after if own else f"controls {experiment.controls[arm]}") or ""
        table.add_row(arm, rows[arm], str(tokens[arm]), steps[arm], after)
    console.print(table)
    return tokens


def _print_phases(experiment: Experiment, constitution: Constitution, console: Console) -> None:
    for phase in experiment.rl_phases():
        prompts = read_input(phase, constitution, experiment.measure.items).prompts
        recipe = phase.recipe
        console.print(
            f"{phase.name}, from {', '.join(phase.arms)}: {recipe.steps} steps of {recipe.prompts_a_step} x "
            f"{recipe.generations} answers to {len(prompts)} prompts, measured after {_listed(recipe.saved_steps())}"
        )
    for phase in experiment.stress_phases():
        console.print(f"{phase.name}, {phase.tokens} tokens, from {', '.join(phase.arms)}")


def _print_detectable(experiment: Experiment, console: Console) -> None:
    families = [scene.family for scene, _ in load_suite(experiment.measure.families, unlock=experiment.measure.unlock)]
    held_out = sum(family in experiment.held_out for family in families)
    if not held_out:
        return
    design = Design(scenes=held_out, samples=experiment.measure.samples, seeds=len(experiment.seeds))
    table = Table(box=None, title=f"held-out scenes: {held_out}. A fall that is found four times in five, paired")
    for head in ("where the control does harm in", "a sampled act falls by"):
        table.add_column(head, justify="right")
    for base in BASES:
        least = smallest_effect(base, design)
        table.add_row(f"{base:.0%}", "nothing is found" if least is None else f"{100 * least:.0f} points")
    console.print(table)
    if design.seeds == 1:
        console.print("With one seed, what is found is about these checkpoints, not about the training.")


def _listed(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps))


def _say_time(seconds: float) -> str:
    if seconds < _HALF_AN_HOUR:
        return f"{max(1, round(seconds / 60))} minutes"
    return f"{seconds / _HOUR:.1f} hours"
