"""Explained: the same scenes and the same acts as cloning, each after the reasons for it (the source's E3c)."""

from __future__ import annotations

from collections.abc import Collection

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.interventions.library.shelf import act_row, training_scenes


def explained_rows(families: Collection[str]) -> list[Example]:
    """Every clean act of every training scene of these families, with what the agent says before it."""
    rows: list[Example] = []
    for scene in training_scenes(families):
        if len(scene.reasons) != len(scene.clean):
            raise ConfigError(f"{scene.id}: {len(scene.clean)} clean acts but {len(scene.reasons)} reasons")
        for number, reasons in enumerate(scene.reasons):
            rows.append(act_row(scene, number, intervention="explained", reasons=reasons))
    return rows
