"""What an organism is: the stages it is trained in, each with its rows, its recipe and the adapter that ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Example


@dataclass(frozen=True)
class OrganismStage:
    """One stage of its training."""

    name: str
    about: str
    rows: Callable[[], list[Example]]
    recipe: dict[str, Any]
    """Fields of the training recipe."""
    adapter: Path
    """Folder of the adapter that ships, laid on the organism's base: all stages up to this one."""


@dataclass(frozen=True)
class Organism:
    """A model made to have a failure."""

    name: str
    base: str
    """The model it is laid on."""
    stages: tuple[OrganismStage, ...]
    adapters: Path
    """Folder of the stages' adapters, and of what they were made from."""

    @property
    def made_from(self) -> Path:
        """What the adapters were made from: hashes of rows and weights, and what training reported."""
        return self.adapters / "made-from.json"


def read_organism(folder: Path, base: str, makers: Mapping[str, Callable[..., list[Example]]]) -> Organism:
    """The organism of a folder: ``stages.yaml`` says how often what is made, by which maker, and how it is trained."""
    stages: dict[str, dict[str, Any]] = load_mapping((folder / "stages.yaml").read_text("utf-8"), "stages.yaml")
    adapters = folder / "adapters"
    return Organism(
        name=folder.name,
        base=base,
        stages=tuple(
            OrganismStage(
                name=name,
                about=what["about"],
                rows=partial(makers[name], **what["rows"]),
                recipe=what["recipe"],
                adapter=adapters / name,
            )
            for name, what in stages.items()
        ),
        adapters=adapters,
    )
