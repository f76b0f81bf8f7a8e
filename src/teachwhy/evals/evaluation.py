"""What an eval is to the rest: its tasks, a scorer to grade again with, the text that no training row may share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inspect_ai import Task
from inspect_ai.scorer import Scorer
from pydantic import Field, field_validator

from teachwhy.core.records import Instrument, Record

OnSample = Callable[[], None]
"""Called after every sample."""


class Plan(Record):
    """How a checkpoint is measured; each eval takes from it what concerns it."""

    instruments: tuple[Instrument, ...] = Field(default=("decision", "likelihood"), min_length=1)
    """``likelihood`` is taken up by every eval that has written alternatives; it needs a model that tells it."""
    samples: int = Field(default=1, ge=1)
    """Samples of each scene, question or seed; the likelihood needs one."""
    temperature: float = Field(default=0.7, ge=0)
    """Of the model that is measured. Public samples at upstream's, 1, and capability at 0, whatever stands here."""
    seed: int = 0
    families: tuple[str, ...] = ()
    """Honeypots: families, empty for all that are not locked."""
    unlock: bool = False
    """Honeypots: measure the locked families too."""
    axes: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    """Honeypots: axis to the levels that are tried beside the scene as it is written."""
    crossed: bool = False
    """Honeypots: every combination of the axes' levels, not one axis at a time."""
    turn_tokens: int = Field(default=0, ge=0)
    """Honeypots: room for a turn; 0 for 200 tokens, or 600 where a scratchpad is offered."""
    judges: tuple[str, ...] = ()
    """Models that judge, as Inspect names them; none: rules and likelihoods alone."""
    constitution: str = "default"
    items: str = ""
    """Constitution: a folder of written items for it; empty for those that ship, or for none."""
    model_name: str = "the model"
    """What the model is called."""
    provider_name: str = "its makers"

    @field_validator("instruments", "judges", "families")
    @classmethod
    def _once(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(given))


def listed(given: str | Sequence[str]) -> tuple[str, ...]:
    """The words of a task's parameter such as ``a,b``, of which Inspect's command line makes a list, if it will."""
    parts = [str(part) for part in given] if isinstance(given, list | tuple) else str(given).split(",")
    return tuple(part.strip() for part in parts if part.strip())


@dataclass(frozen=True)
class Eval:
    """One entry of the registry."""

    about: str
    tasks: Callable[[Plan, OnSample | None], list[Task]]
    """The tasks for a plan. Each carries ``metadata={"eval": …, "instrument": …}``, and every sample what
    ``scoring.sample`` puts there. Raises ConfigError for a plan that cannot be."""
    scorer: Callable[[str, Sequence[str]], Scorer]
    """The scorer of an instrument with these judges: it reads a log's samples alone, so that grading again asks no
    model but the judges."""
    dimensions: Mapping[str, Literal["good", "bad"]]
    """What is looked at, and whether much of it is good or bad."""
    measured_text: Callable[[], Mapping[str, str]]
    """Its texts, file name to text."""
