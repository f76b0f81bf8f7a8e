"""How rows become weights: one recipe for every arm of an experiment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from teachwhy.core.records import Record


class Recipe(Record):
    """How rows become weights; the same for every arm of an experiment."""

    method: Literal["lora", "full"] = "lora"
    rank: int = 32
    alpha: int = 64
    learning_rate: float = 2e-4
    warmup: float = 0.05
    """Share of the steps with a rising rate; a cosine falls after it."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float = 0.01
    epochs: float = 1.0
    batch: int = 8
    """Rows an optimiser step."""
    micro_batch: int = 4
    """Rows held at once; gradients add up to ``batch``."""
    max_length: int = 1024
    least_steps: int = Field(default=8, ge=1)
    """Fewer optimiser steps than this are refused: a run that moves nothing looks like a null result."""
    save_every: int = Field(default=25, ge=1)
    """Optimiser steps between checkpoints from which an interrupted run goes on."""
    precision: Literal["bf16", "fp32"] = "bf16"
