"""What is changed: each intervention makes training rows, from the library that ships or with a writer."""

from __future__ import annotations

from teachwhy.interventions.advice.build import ADVICE
from teachwhy.interventions.budget import Built, Count, fill_budget
from teachwhy.interventions.cloning.build import CLONING
from teachwhy.interventions.conflict.build import CONFLICT
from teachwhy.interventions.controls.eval_description.build import EVAL_DESCRIPTION
from teachwhy.interventions.controls.irrelevant_principle.build import IRRELEVANT_PRINCIPLE
from teachwhy.interventions.controls.reasons.build import FILLER, STRIPPED_REASONS
from teachwhy.interventions.controls.replay.build import REPLAY
from teachwhy.interventions.documents.build import DOCUMENTS
from teachwhy.interventions.explained.build import EXPLAINED
from teachwhy.interventions.intervention import Intervention, Order, Step, check_order
from teachwhy.interventions.pipeline import fill
from teachwhy.interventions.stories.build import STORIES
from teachwhy.interventions.surround.build import SURROUND

__all__ = [
    "CONTROLS",
    "INTERVENTIONS",
    "Built",
    "Count",
    "Intervention",
    "Order",
    "Step",
    "check_order",
    "fill",
    "fill_budget",
]

CONTROLS: dict[str, Intervention] = {
    "replay": REPLAY,
    "stripped_reasons": STRIPPED_REASONS,
    "filler": FILLER,
    "irrelevant_principle": IRRELEVANT_PRINCIPLE,
    "eval_description": EVAL_DESCRIPTION,
}
"""Name to what an arm is compared with."""

INTERVENTIONS: dict[str, Intervention] = {
    "cloning": CLONING,
    "explained": EXPLAINED,
    "advice": ADVICE,
    "documents": DOCUMENTS,
    "stories": STORIES,
    "surround": SURROUND,
    **CONTROLS,
    "conflict": CONFLICT,
}
"""Name to intervention, in the order in which they are best understood."""
