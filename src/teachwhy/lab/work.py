"""How long the steps of an experiment take, in estimated seconds: for the bar, and for ``teachwhy plan``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a measurement by itself has no need of what experiments import
    from teachwhy.lab.experiment import Experiment
    from teachwhy.lab.phases import RlPhase, StressPhase
    from teachwhy.training.recipe import Recipe

# Of a model of 135M parameters on two cores.
TRAINED_A_SECOND = 400.0
"""Tokens of rows."""
FULL = 1.5
"""So many times as long is full fine-tuning."""
SAMPLED_A_SECOND = 250.0
"""Tokens, many answers side by side."""
MEASURED_A_SECOND = 2.0
"""Samples of all evals together."""


@dataclass(frozen=True)
class Work:
    """The steps of one experiment."""

    experiment: Experiment
    tokens: Mapping[str, int]
    """Arm to the tokens of its rows."""
    samples: int
    """Of one measurement."""

    def measure(self) -> float:
        """One checkpoint."""
        return measuring(self.samples)

    def train(self, arm: str) -> float:
        """An arm, once."""
        return training(self.tokens[arm], self.experiment.recipe)

    def stress(self, phase: StressPhase) -> float:
        """One dose, upon one arm."""
        return training(phase.tokens, phase.recipe)

    def rl(self, phase: RlPhase) -> float:
        """All steps, from one arm: every completion is sampled, and read twice to learn from it."""
        tokens = phase.recipe.steps * phase.recipe.prompts_a_step * phase.recipe.generations * phase.recipe.max_tokens
        return tokens / SAMPLED_A_SECOND + 2 * tokens / TRAINED_A_SECOND

    def checkpoints(self) -> int:
        """How many are measured: the start, the arms, and what becomes of them."""
        later = sum(len(phase.arms) * len(phase.recipe.saved_steps()) for phase in self.experiment.rl_phases())
        later += sum(len(phase.arms) for phase in self.experiment.stress_phases())
        return 1 + len(self.experiment.seeds) * (len(self.tokens) + later)

    def total(self) -> float:
        """The whole run."""
        once = sum(self.train(arm) for arm in self.tokens)
        once += sum(len(phase.arms) * self.rl(phase) for phase in self.experiment.rl_phases())
        once += sum(len(phase.arms) * self.stress(phase) for phase in self.experiment.stress_phases())
        return self.checkpoints() * self.measure() + len(self.experiment.seeds) * once


def measuring(samples: int) -> float:
    """So many samples."""
    return samples / MEASURED_A_SECOND


def training(tokens: int, recipe: Recipe) -> float:
    """Rows of so many tokens, by a recipe."""
    return tokens * recipe.epochs / TRAINED_A_SECOND * (FULL if recipe.method == "full" else 1.0)
