"""What is changed: each intervention makes training rows, from the library that ships or, later, with a writer."""

from __future__ import annotations

from collections.abc import Callable, Collection

from teachwhy.core.records import Example
from teachwhy.interventions.advice.build import advice_rows
from teachwhy.interventions.budget import Built, Count, fill_budget
from teachwhy.interventions.cloning.build import cloning_rows
from teachwhy.interventions.explained.build import explained_rows
from teachwhy.interventions.replay.build import replay_rows

__all__ = ["INTERVENTIONS", "Built", "Count", "fill_budget"]

INTERVENTIONS: dict[str, Callable[[Collection[str]], list[Example]]] = {
    "replay": replay_rows,
    "cloning": cloning_rows,
    "explained": explained_rows,
    "advice": advice_rows,
}
"""Name to what makes its rows from the families that may be trained on."""
