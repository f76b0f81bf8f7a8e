"""How rows become weights: one recipe for every arm of an experiment."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Record


class Recipe(Record):
    """How rows become weights; the same for every arm of an experiment."""

    method: Literal["lora", "full"] = "lora"
    rank: int = Field(default=32, ge=1)
    alpha: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-4, ge=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps with a rising rate; a cosine falls after it."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float = Field(default=0.01, ge=0)
    epochs: float = Field(default=1.0, gt=0)
    batch: int = Field(default=8, ge=1)
    """Rows an optimiser step."""
    micro_batch: int = Field(default=4, ge=1)
    """Rows held at once; gradients add up to ``batch``."""
    max_length: int = Field(default=1024, ge=1)
    least_steps: int = Field(default=8, ge=1)
    """Fewer optimiser steps than this are refused: a run that moves nothing looks like a null result."""
    save_every: int = Field(default=25, ge=1)
    """Optimiser steps between checkpoints from which an interrupted run goes on."""
    precision: Literal["bf16", "fp32"] = "bf16"

    @model_validator(mode="after")
    def _parts_add_up(self) -> Recipe:
        if self.batch > self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(f"batch {self.batch} is no multiple of micro_batch {self.micro_batch}; make it one")
        return self

    def count_steps(self, rows: int) -> int:
        """Optimiser steps that so many rows give; ConfigError when they are fewer than ``least_steps``."""
        steps = math.ceil(math.ceil(rows / self.batch) * self.epochs)
        if steps < self.least_steps:
            raise ConfigError(
                f"{rows} rows at batch {self.batch} and {self.epochs:g} epochs give {steps} optimiser steps, "
                f"fewer than least_steps {self.least_steps}: such a run moves nothing; add rows or epochs"
            )
        return steps
