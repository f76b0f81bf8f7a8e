"""A stage left out changes what follows it, and nothing before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from endpoint import scripted, serve
from orders import answers_of, ask, made, order
from teachwhy.interventions import INTERVENTIONS

STAGES = [
    (name, step.name)
    for name, one in INTERVENTIONS.items()
    for step in one.steps
    if step.optional and name not in ("conflict",)
]
HEADS = {"principles", "scenes", "types", "subtypes", "premises"}
"""Stages that rows grow from: without one of them other rows grow."""


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_without_a_stage_the_rows_differ_in_that_stage_and_what_follows_alone(name: str, stage: str, tmp_path: Path):
    with serve(scripted()) as endpoint:
        full, _ = made(ask(name, endpoint, order(name)), tmp_path / "full")
        shorn = ask(name, endpoint, order(name, without=[stage]), reuse=tmp_path / "full")
        less, ledger = made(shorn, tmp_path / "less")
    before, after = answers_of(tmp_path / "full"), answers_of(tmp_path / "less")
    steps = [step.name for step in INTERVENTIONS[name].steps]
    asked = [answer for key, answer in after.items() if key not in before]
    assert not [answer for answer in after.values() if answer.stage == stage]
    assert all(steps.index(answer.stage) > steps.index(stage) or answer.stage == "answer" for answer in asked)
    assert ledger.calls == len(asked)
    if stage not in HEADS:
        ids = {row.id for row in full.rows} & {row.id for row in less.rows}
        assert len(ids) >= min(len(full.rows), len(less.rows)) - 1
