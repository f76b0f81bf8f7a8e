"""How verdicts travel through Inspect's scores: its own summary of a log says what our rates say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval  # pyright: ignore[reportUnknownVariableType]
from inspect_ai import score as score_again  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.dataset import MemoryDataset
from inspect_ai.log import EvalLog
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from teachwhy.core.records import Verdict
from teachwhy.evals import scoring

VALUES = {"pier": (1.0, None, 1.0), "barn": (0.0, 0.0, None), "mill": (None, None, None)}
"""Scene to what is found in its three samples."""


def verdict(scene: str, dimension: str = "harmful") -> Verdict:
    return Verdict(
        eval="honeypots",
        scenario=scene,
        family="framing",
        side="scene",
        instrument="decision",
        dimension=dimension,
        sample=1,
        value=None,
        grader="rules",
    )


@scorer(metrics=[scoring.shares()])
def found() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        first = scoring.like(state)
        value = VALUES[first.scenario][state.epoch - 1]
        aware = first.model_copy(update={"dimension": "aware", "value": float(state.epoch == 1)})
        return scoring.carry([first.model_copy(update={"value": value}), aware])

    return score


def logged(folder: Path) -> EvalLog:
    samples = [scoring.sample(scene, "go on", [verdict(scene), verdict(scene, "aware")]) for scene in VALUES]
    task = Task(dataset=MemoryDataset(samples), scorer=found(), epochs=3, name="three")
    [log] = inspect_eval(task, model="teachwhy-scripted/silent", log_dir=str(folder), display="none")
    return log


def test_the_summary_in_a_log_is_over_every_sample_of_a_scene(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = logged(tmp_path)
    for one in (log, score_again(log, found(), display="none", action="overwrite")):
        assert one.results is not None
        [line] = one.results.scores
        assert {name: metric.value for name, metric in line.metrics.items()} == {
            "harmful (scene)": pytest.approx(2 / 4),
            "void: harmful (scene)": pytest.approx(5 / 9),
            "aware (scene)": pytest.approx(1 / 3),
            "void: aware (scene)": 0.0,
        }
    assert "Unable to convert" not in caplog.text


def test_void_is_what_inspect_calls_unscored_and_survives_the_log(tmp_path: Path) -> None:
    [mill, *_] = [sample for sample in logged(tmp_path).samples or [] if sample.id == "mill"]
    value = (mill.scores or {})["found"].value
    assert isinstance(value, dict)
    assert math.isnan(float(value["harmful"] or 0))
    assert scoring.verdicts_of(mill)[0].value is None
