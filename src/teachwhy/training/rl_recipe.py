"""How a model is trained by reward, and whether there is anything for it to learn from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Record


class RLRecipe(Record):
    """How rewards become weights; the same for every start of an experiment."""

    method: Literal["lora", "full"] = "lora"
    rank: int = Field(default=32, ge=1)
    alpha: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-4, ge=0)
    """Constant over the steps."""
    beta: float = Field(default=0.0, ge=0)
    """Weight of the KL to the start in the loss; the KL is measured whatever it weighs."""
    prompts_a_step: int = Field(default=8, ge=1)
    generations: int = Field(default=8, ge=2)
    """Answers to each prompt of a step, which are compared with one another."""
    max_tokens: int = Field(default=48, ge=1)
    """Room for an answer; what does not end within it is void."""
    temperature: float = Field(default=1.0, gt=0)
    steps: int = Field(default=20, ge=1)
    """Optimiser steps, each on new answers."""
    save_every: int = Field(default=5, ge=1)
    """Steps between checkpoints: weights that are kept, and a state from which an interrupted run goes on."""
    micro_batch: int = Field(default=64, ge=1)
    """Answers held at once, at most; gradients add up over a step. Answers to one prompt that are held at once share
    the work on it."""
    least_mixed: float = Field(default=0.1, ge=0, le=1)
    """Share of prompts whose answers must differ in reward: where all fare alike, nothing says what to change."""
    precision: Literal["bf16", "fp32"] = "bf16"

    def held_at_once(self) -> int:
        """The largest number of answers up to ``micro_batch`` that divides those of a step."""
        answers = self.prompts_a_step * self.generations
        return max(size for size in range(1, min(self.micro_batch, answers) + 1) if answers % size == 0)

    def saved_steps(self) -> list[int]:
        """The steps whose weights are kept: every ``save_every``, and the last."""
        steps = list(range(self.save_every, self.steps + 1, self.save_every))
        return steps if steps and steps[-1] == self.steps else [*steps, self.steps]


class Signal(Record):
    """What a start model earns before any training."""

    mixed: float
    """Share of the prompts whose answers differ in reward."""
    mean: float | None
    """Mean reward of the answers that are not void; None where all are."""
    void: float
    """Share of the answers that are void."""
    n: int
    """Prompts that were tried."""


def check_signal(signal: Signal, recipe: RLRecipe) -> None:
    """Raise ConfigError where too few prompts have mixed outcomes for training to be worth its cost."""
    if signal.mixed >= recipe.least_mixed:
        return
    earned = "all answers are void" if signal.mean is None else f"mean reward {signal.mean:.2f}"
    raise ConfigError(
        f"nothing to learn from: the answers differ in reward on {signal.mixed:.0%} of {signal.n} prompts ({earned}, "
        f"{signal.void:.0%} void), less than least_mixed {recipe.least_mixed:.0%}; give easier or harder prompts, more "
        "generations or max_tokens, or another start"
    )


class RLTrained(Record):
    """What an RL run did."""

    steps: int
    prompts: int
    """Different prompts among which it chose."""
    samples: int
    """Answers in all."""
    sampler: str
    """What sampled: ``openvino``, ``transformers`` or ``vllm``."""
    first_reward: float | None
    """Mean over the first steps; None where all was void."""
    last_reward: float | None
    """Mean over the last steps."""
    void: float
    """Share of all answers."""
    kl: float
    """Mean over the last steps, in nats a token."""
    saved: tuple[int, ...]
    """The steps whose weights lie in ``steps/<n>/model``."""
