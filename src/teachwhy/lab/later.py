"""What becomes of arms: each goes on by reinforcement learning and by other rows, and is measured along the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from teachwhy.core.store import Stage
from teachwhy.lab import stages
from teachwhy.lab.phases import RlPhase, StressPhase
from teachwhy.lab.results import Measured
from teachwhy.lab.rl import RlInput, rl_stage
from teachwhy.lab.running import Running

Checkpoints = Mapping[tuple[str, int], stages.Checkpoint]
"""Arm and seed to what its training ended in."""


def run_phases(
    run: Running, checkpoints: Checkpoints, prompts: Mapping[str, RlInput], rows: Mapping[str, Stage]
) -> tuple[Measured, ...]:
    """Every phase of the experiment: ``prompts`` by the name of an RL phase, ``rows`` by the name of a stress."""
    found: list[Measured] = []
    for phase in run.experiment.rl_phases():
        for arm in phase.arms:
            for seed in run.experiment.seeds:
                found += _reinforce(run, phase, prompts[phase.name], checkpoints[arm, seed], (arm, seed))
    for phase in run.experiment.stress_phases():
        for arm in phase.arms:
            for seed in run.experiment.seeds:
                found.append(_stress(run, phase, rows[phase.rows], checkpoints[arm, seed], (arm, seed)))
    return tuple(found)


def _reinforce(
    run: Running, phase: RlPhase, given: RlInput, start: stages.Checkpoint, who: tuple[str, int]
) -> Iterator[Measured]:
    arm, seed = who
    name = f"{_slug(phase.name)}-{arm}-s{seed}"
    with run.bar.stage(f"{phase.name}, {arm}, seed {seed}", run.work.rl(phase)) as step:
        stage = rl_stage(run.store, name, given, start, phase.recipe, seed, step)
    run.hashes[name] = stage.key
    lines = _read_metrics(stage)
    before = 0
    for at in phase.recipe.saved_steps():
        checkpoint = stages.Checkpoint(folder=stage.folder / "steps" / str(at) / "model", key=f"{stage.key}-{at}")
        window = [line for line in lines if before < line["step"] <= at]
        facts = {"phase": phase.name, "step": at, "kl": _mean(window, "kl"), "reward": _mean(window, "reward")}
        yield run.measure(f"{name}-{at}", arm, checkpoint, seed).model_copy(update=facts)
        before = at


def _stress(run: Running, phase: StressPhase, rows: Stage, start: stages.Checkpoint, who: tuple[str, int]) -> Measured:
    arm, seed = who
    name = f"{_slug(phase.name)}-{phase.tokens}-{arm}-s{seed}"
    with run.bar.stage(f"{phase.name} {phase.tokens}, {arm}, seed {seed}", run.work.stress(phase)) as step:
        trained = stages.train_stage(run.store, name, rows, start, phase.recipe, seed, step)
    run.hashes[f"train {name}"] = trained.key
    facts = stages.read_training(trained, phase.recipe)
    checkpoint = stages.Checkpoint(folder=trained.folder / "model", key=trained.key)
    return run.measure(name, arm, checkpoint, seed).model_copy(
        update={**facts, "phase": phase.name, "step": facts["tokens"]}
    )


def _slug(name: str) -> str:
    """A phase's name as part of a folder's."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def _read_metrics(stage: Stage) -> list[dict[str, Any]]:
    text = (stage.folder / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line]


def _mean(lines: list[dict[str, Any]], name: str) -> float | None:
    values = [float(line[name]) for line in lines if line.get(name) is not None]
    return sum(values) / len(values) if values else None
