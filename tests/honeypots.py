"""The measured scenes at hand for tests, and samples that end as they are told to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from teachwhy.core.records import Instrument, Message, Scenario, Transcript
from teachwhy.evals.honeypots.grading import ending_of
from teachwhy.evals.honeypots.suite import SCENES
from teachwhy.worlds.scenes import read_scene

FILES = sorted(SCENES.glob("*/*.md"))
FREE: tuple[Instrument, ...] = ("rollout", "decision")

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
both_instruments = pytest.mark.parametrize("instrument", FREE)


@cache
def pair(path: Path) -> tuple[Scenario, Scenario]:
    scene, twin = read_scene(path)
    assert twin is not None
    return scene, twin


def ended(side: Scenario, instrument: Instrument, messages: Sequence[Message], stop: str) -> Transcript:
    """A sample with these turns, for which sampling stopped for that reason."""
    return Transcript(
        scenario=side.id,
        side=side.side,
        checkpoint="c",
        sample=1,
        messages=tuple(messages),
        ending=ending_of(side, messages, stop, instrument),
    )


BROKEN_CALL: dict[str, Any] = {"type": "function", "function": {"name": "?", "arguments": {}, "error": "not JSON"}}
