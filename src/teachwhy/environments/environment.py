"""What an environment is: an Inspect task, whose samples are the prompts and whose scorer is the reward.

Reward and measurement are thereby one definition: what training is rewarded for is what ``inspect eval`` reports.
Simpler than the name suggests: an episode is one turn. A call that the model makes ends it, and no tool is run.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from inspect_ai import Task

from teachwhy.core.errors import ConfigError, TeachwhyError
from teachwhy.core.records import Message, Record
from teachwhy.environments.asking import Opened, open_task

Part = Literal["train", "held_out"]
PARTS: tuple[Part, ...] = ("train", "held_out")
HELD_OUT = 5
"""Of the samples of a task that names no split, one in so many is held out, by its id."""
AT_ONCE = 32
"""Answers scored side by side."""


class Prompt(Record):
    """What the model is asked, as it would be asked when the task is measured."""

    id: str
    """The sample's; the reward is looked up by it, so a prompt that is given other tools or another system prompt
    keeps it."""
    environment: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    """JSON schemas."""


@dataclass(frozen=True)
class Environment:
    """An Inspect task that rewards."""

    name: str
    about: str
    task: Callable[[], Task]

    @cached_property
    def opened(self) -> Opened:
        """The task, made once. Raises ConfigError for one that cannot serve: no scorer, no samples, a sandbox."""
        return open_task(self.name, self.task())

    def prompts(self, split: Part | None = None) -> list[Prompt]:
        """The prompts of one part, or of both: by the ``split`` in a sample's metadata, else by a hash of its id.

        They are what the task's solvers ask first. Raises ConfigError for a task that asks nothing.
        """
        return asyncio.run(self._prompts(split))

    async def _prompts(self, split: Part | None) -> list[Prompt]:
        opened = self.opened
        ids = [id for id, sample in opened.samples.items() if split in (None, _part(id, sample.metadata))]
        asked = await asyncio.gather(*(opened.asks(id) for id in ids))
        return [
            Prompt(id=id, environment=self.name, messages=messages, tools=tools)
            for id, (messages, tools) in zip(ids, asked, strict=True)
        ]

    def reward(self) -> Reward:
        """What scores answers to these prompts."""
        return Reward(self.opened)


class Reward:
    """The task's own scorer, as a function of answers.

    Where the task has several scorers, or one that tells several values, the reward is their mean.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    async def score(
        self, prompt_ids: Sequence[str], completions: Sequence[str], finished: Sequence[bool] | None = None
    ) -> list[float | None]:
        """The reward of each answer to the prompt of that id; None is void: empty, cut off (not ``finished``), failed.

        Raises ConfigError for a prompt that there is not, and where scoring failed for every answer: then it is the
        scorer that is broken.
        """
        ended = [True] * len(completions) if finished is None else finished
        gate = asyncio.Semaphore(AT_ONCE)
        failures: list[Exception] = []

        async def one(id: str, said: str, whole: bool) -> float | None:
            if not (whole and said.strip()):
                return None
            async with gate:
                try:
                    return await self._opened.score(id, said)
                except TeachwhyError:
                    raise
                except Exception as error:  # a scorer may fail in any way; a failed sample is void
                    failures.append(error)
                    return None

        found = await asyncio.gather(*map(one, prompt_ids, completions, ended))
        tried = sum(bool(whole and said.strip()) for whole, said in zip(ended, completions, strict=True))
        if failures and len(failures) == tried:
            said = " ".join(str(failures[-1]).split())[:200]
            raise ConfigError(f"{self._opened.name}: its scorer failed on every answer: {said or type(failures[-1])}")
        return list(found)

    __call__ = score


def _part(id: str, metadata: dict[str, Any] | None) -> str:
    named = (metadata or {}).get("split")
    if named in PARTS:
        return str(named)
    digest = int(hashlib.sha256(id.encode()).hexdigest(), 16)
    return "held_out" if digest % HELD_OUT == 0 else "train"
