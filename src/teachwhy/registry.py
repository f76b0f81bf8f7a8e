"""What Inspect finds by entry point: ``teachwhy/<checkpoint>`` as a model, the evals and environments as tasks."""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi

from teachwhy.environments.arithmetic.task import arithmetic
from teachwhy.environments.harmless.task import harmless
from teachwhy.evals.assessment.petri import assessment_petri
from teachwhy.evals.assessment.task import assessment
from teachwhy.evals.capability.task import capability
from teachwhy.evals.constitution.task import constitution
from teachwhy.evals.honeypots.task import honeypots
from teachwhy.evals.public.task import public, public_responses

__all__ = [
    "arithmetic",
    "assessment",
    "assessment_petri",
    "capability",
    "constitution",
    "harmless",
    "honeypots",
    "public",
    "public_responses",
    "scripted",
    "teachwhy",
]


@modelapi(name="teachwhy")
def teachwhy() -> type[ModelAPI]:
    """Our checkpoints; the heavy imports wait until one is asked for."""
    from teachwhy.models.provider import TeachwhyAPI

    return TeachwhyAPI


@modelapi(name="teachwhy-scripted")
def scripted() -> type[ModelAPI]:
    """Models that follow a script, for trying the pipeline out and for tests."""
    from teachwhy.models.scripted import ScriptedAPI

    return ScriptedAPI
