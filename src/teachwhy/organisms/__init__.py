"""Models made to have the failure, so that what mends it can be studied."""

from __future__ import annotations

from teachwhy.core.errors import ConfigError, guess
from teachwhy.organisms.coverage_gap.organism import COVERAGE_GAP
from teachwhy.organisms.misrewarded.organism import MISREWARDED
from teachwhy.organisms.organism import Organism, OrganismStage

__all__ = ["ORGANISMS", "STAGES", "Organism", "OrganismStage", "find_organism", "find_stage"]

ORGANISMS: dict[str, Organism] = {"coverage_gap": COVERAGE_GAP, "misrewarded": MISREWARDED}
"""Name to organism."""

STAGES: dict[str, tuple[Organism, OrganismStage]] = {
    **{name: (organism, organism.stages[-1]) for name, organism in ORGANISMS.items()},
    **{f"{name}:{stage.name}": (organism, stage) for name, organism in ORGANISMS.items() for stage in organism.stages},
}
"""What can be opened: ``organism:stage``, and an organism's own name for its last stage."""


def find_organism(name: str) -> Organism:
    """The organism of a name. Raises ConfigError."""
    if name not in ORGANISMS:
        raise ConfigError(f"unknown organism {name!r}; {guess(name, ORGANISMS)}")
    return ORGANISMS[name]


def find_stage(name: str) -> tuple[Organism, OrganismStage]:
    """The organism and the stage that a name in STAGES stands for. Raises ConfigError."""
    organism, _, stage = name.partition(":")
    found = find_organism(organism)
    if name not in STAGES:
        raise ConfigError(f"{organism} has no stage {stage!r}; {guess(stage, [one.name for one in found.stages])}")
    return STAGES[name]
