"""What Inspect finds by entry point: ``teachwhy/<checkpoint>`` as a model, ``teachwhy/honeypots`` as a task."""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi

from teachwhy.evals.honeypots.task import honeypots

__all__ = ["honeypots", "scripted", "teachwhy"]


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
