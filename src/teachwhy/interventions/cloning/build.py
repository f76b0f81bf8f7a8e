"""Cloning: scenes of temptation, answered well; what was done, and no word why (the source's E3a)."""

from __future__ import annotations

from collections.abc import Collection

from teachwhy.core.records import Example
from teachwhy.interventions.library.shelf import act_row, training_scenes


def cloning_rows(families: Collection[str]) -> list[Example]:
    """Every clean act of every training scene of these families."""
    return [
        act_row(scene, number, intervention="cloning")
        for scene in training_scenes(families)
        for number in range(len(scene.clean))
    ]
