"""Models made to have the failure, so that what mends it can be studied."""

from __future__ import annotations

from teachwhy.organisms.coverage_gap.organism import COVERAGE_GAP
from teachwhy.organisms.organism import Organism

__all__ = ["ORGANISMS", "Organism"]

ORGANISMS: dict[str, Organism] = {"coverage_gap": COVERAGE_GAP}
"""Name to organism."""
