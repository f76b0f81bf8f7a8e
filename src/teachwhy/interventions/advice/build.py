"""Difficult advice: a person has the dilemma, the model advises; chat alone, no tools (the source's E4)."""

from __future__ import annotations

from collections.abc import Collection

from teachwhy.core.records import Example
from teachwhy.interventions.library.shelf import advice_dialogues


def advice_rows(families: Collection[str]) -> list[Example]:
    """All dialogues. They belong to no harm family, so ``families`` leaves none out."""
    del families
    return advice_dialogues()
