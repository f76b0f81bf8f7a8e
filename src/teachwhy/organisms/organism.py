"""What an organism is: the stages it is trained in, and the adapter that ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachwhy.core.records import Example


@dataclass(frozen=True)
class OrganismStage:
    """One stage of its training."""

    name: str
    rows: Callable[[], list[Example]]
    recipe: dict[str, Any]
    """Fields of the training recipe."""


@dataclass(frozen=True)
class Organism:
    """A model made to have a failure."""

    name: str
    base: str
    """The model it is laid on."""
    stages: tuple[OrganismStage, ...]
    shipped: Path
    """Folder of the adapter that ships, with its card and hashes."""
