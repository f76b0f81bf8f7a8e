"""Between environments, what surrounds their prompts, and the trainer: the stage of reinforcement learning."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachwhy import environments, judges
from teachwhy.constitution import Constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.core.store import Stage, Store, content_key, write_atomic, write_lines
from teachwhy.environments import Prompt, load_environment
from teachwhy.interventions import INTERVENTIONS, Order
from teachwhy.lab.guard import guard
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.lab.measure import Progress, grading_text
from teachwhy.lab.phases import RlPhase
from teachwhy.lab.stages import Checkpoint, release_memory
from teachwhy.training.rl_recipe import RLRecipe

Reward = Callable[[Sequence[str], Sequence[str], Sequence[bool]], Awaitable[list[float | None]]]
"""Ids of prompts, what was answered to each and whether it ended by itself, to what it is worth; None is void."""


_REWARDING = [Path(package.__file__ or "").parent for package in (environments, judges)]
"""Where the words stand that decide a reward: patterns, rubrics."""


@dataclass(frozen=True)
class RlInput:
    """What a phase learns from."""

    prompts: tuple[Prompt, ...]
    reward: Reward
    proof: dict[str, Any]
    """That what surrounds prompts left every user turn as it was."""
    versions: dict[str, str]
    """Environment to the version of its task."""


def read_input(phase: RlPhase, constitution: Constitution, items: str = "") -> RlInput:
    """The prompts of a phase's environments, guarded and surrounded, with their reward.

    ``items`` are a user's own about a constitution, which are measured text too. Raises ConfigError for an environment
    that there is not, or that holds measured text.
    """
    opened = [load_environment(name) for name in phase.environments]
    rewards = {environment.name: environment.reward() for environment in opened}
    # two environments may number their samples alike
    home = {
        f"{environment.name}:{prompt.id}": prompt for environment in opened for prompt in environment.prompts("train")
    }
    if not home:
        raise ConfigError(f"{phase.name}: its environments hold no prompt to train on")
    prompts = [prompt.model_copy(update={"id": name}) for name, prompt in home.items()]

    async def reward(ids: Sequence[str], answers: Sequence[str], finished: Sequence[bool]) -> list[float | None]:
        worth: list[float | None] = [None] * len(ids)
        for name, own in rewards.items():
            at = [place for place, one in enumerate(ids) if home[one].environment == name]
            found = await own(
                [home[ids[place]].id for place in at],
                [answers[place] for place in at],
                [finished[place] for place in at],
            )
            for place, value in zip(at, found, strict=True):
                worth[place] = value
        return worth

    guard([_row(prompt) for prompt in prompts], all_measured_text(items), ())
    around, proof = _surround(prompts, phase.surround, constitution)
    versions = {environment.name: environment.opened.version for environment in opened}
    return RlInput(tuple(around), reward, proof, versions)


def _row(prompt: Prompt) -> Example:
    return Example(
        id=prompt.id,
        intervention="rl",
        messages=prompt.messages,
        tools=prompt.tools,
        writer="library",
        source=prompt.environment,
    )


def _surround(
    prompts: Sequence[Prompt], share: float, constitution: Constitution
) -> tuple[list[Prompt], dict[str, Any]]:
    """A share of the prompts with tools that are not needed and a system prompt, and the proof that no turn changed."""
    if not share:
        return list(prompts), {}
    surround = INTERVENTIONS["surround"]
    assert surround.library is not None  # noqa: S101 (it works on rows without a writer)
    assert surround.proof is not None  # noqa: S101
    rows = tuple(_row(prompt) for prompt in prompts)
    order = Order(
        families=(), constitution=constitution, tokens=1, count=lambda _: 1, options={"share": str(share)}, rows=rows
    )
    changed = surround.library(order)
    around = [
        prompt.model_copy(update={"messages": row.messages, "tools": row.tools})
        for prompt, row in zip(prompts, changed, strict=True)
    ]
    return around, surround.proof(order, changed)


def rl_stage(
    store: Store,
    name: str,
    given: RlInput,
    start: Checkpoint,
    recipe: RLRecipe,
    seed: int,
    progress: Progress | None = None,
) -> Stage:
    """Reinforcement learning from a checkpoint: ``steps/<n>/model`` and what else ``training.rl.train_rl`` writes.

    Goes on where it stopped. Raises ConfigError where the start's answers differ on too few prompts to learn from.
    """
    inputs = {
        "prompts": content_key([prompt.to_line() for prompt in given.prompts]),
        "rewards": content_key([given.versions, *map(grading_text, _REWARDING)]),
        "start": start.key,
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
    }

    def work(folder: Path) -> None:
        from teachwhy.training.rl import check_signal, probe, train_rl

        write_lines(folder / "prompts.jsonl", given.prompts)
        write_atomic(folder / "surround.json", json.dumps(given.proof, indent=2) + "\n")
        if not (folder / "signal.json").exists():
            signal = probe(given.prompts, given.reward, start.folder, recipe, seed)
            check_signal(signal, recipe)
            write_atomic(folder / "signal.json", signal.model_dump_json(indent=2) + "\n")
        train_rl(given.prompts, given.reward, start.folder, folder, recipe, seed, progress=progress)
        release_memory()

    return store.stage(name, inputs, work, resumable=True)
