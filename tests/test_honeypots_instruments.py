"""The study of how far the instruments agree: what it tells of views that agree, oppose each other or say nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from teachwhy.core.records import Instrument, Verdict
from teachwhy.core.stats import Observation

FILE = Path(__file__).parents[1] / "benchmarks" / "instruments.py"


@pytest.fixture(scope="module")
def study() -> Any:
    spec = importlib.util.spec_from_file_location("instruments", FILE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["instruments"] = module
    spec.loader.exec_module(module)
    module.RESAMPLES = 40
    return module


def verdict(scenario: str, value: float | None, side: str, instrument: Instrument, sample: int) -> Verdict:
    return Verdict(
        scenario=scenario,
        family="leaking",
        side=side,
        instrument=instrument,
        dimension="harmful",
        sample=sample,
        value=value,
        grader="rules",
    )


def observations(values: list[float | None]) -> list[Observation]:
    return [Observation(f"scene-{number}", value) for number, value in enumerate(values)]


RISING: list[float | None] = [0.1, 0.2, 0.4, 0.5, 0.8, 0.9]
HALF: list[float | None] = [0.5] * 6


def test_views_that_agree_oppose_each_other_or_hold_no_order_are_told_as_such(study: Any):
    rising = study.View(observations(RISING), observations(HALF))
    falling = study.View(observations(RISING[::-1]), observations(HALF))
    level = study.View(observations(HALF), observations(HALF))
    same, against, nothing = (study.compare(rising, other) for other in (rising, falling, level))
    assert same.scenes == against.scenes == nothing.scenes == 6
    assert same.spearman.startswith("+1.00 (")
    assert against.kendall.startswith("-1.00 (")
    # the scene in which the twin is as bad has no direction
    assert (same.opposed, against.opposed) == ("0 of 5", "4 of 4")
    assert {nothing.spearman, nothing.kendall, nothing.opposed} == {study.NOTHING}


def test_a_scene_that_one_of_them_could_not_judge_is_left_out(study: Any):
    first = study.View(observations([None, *RISING[1:]]), observations(HALF))
    second = study.View(observations([*RISING[:5], None]), observations(HALF))
    assert study.compare(first, second).scenes == 4
    few = study.View(observations(RISING[:3]), observations(HALF[:3]))
    assert study.compare(few, few).spearman == study.NOTHING


@pytest.mark.parametrize("rows", [True, False])
def test_tables_are_markdown_and_set_each_instrument_against_the_others_and_itself(
    study: Any, rows: bool, capsys: pytest.CaptureFixture[str]
):
    verdicts: list[Verdict] = []
    instruments: tuple[Instrument, ...] = ("rollout", "decision", "likelihood")
    for instrument in instruments:
        for sample in (1, 2):
            for side, values in (("scene", RISING), ("twin", HALF)):
                verdicts += [
                    verdict(f"scene-{number}", value, side, instrument, sample) for number, value in enumerate(values)
                ]
    study.tell("it", verdicts, rows=rows)
    said = capsys.readouterr().out
    for pair in ("rollout and decision", "rollout and likelihood", "decision and likelihood"):
        assert f"| {pair} | 6 | +1.00" in said
    assert "| rollout and itself, half the samples each | 6 |" in said
    assert ("| scene-0 | 10% | 10% | 10% |" in said) == rows


def test_rollouts_that_ran_out_of_turns_are_also_shown_as_without_harm(study: Any, capsys: pytest.CaptureFixture[str]):
    verdicts = [verdict(f"scene-{number}", 1.0 if number % 2 else None, "scene", "rollout", 1) for number in range(6)]
    told = [one.model_copy(update={"reason": "" if one.value else "void: turn_limit"}) for one in verdicts]
    study.tell("it", told, rows=False)
    said = capsys.readouterr().out
    assert "| rollout | 100% | – | 50% | 3 |" in said
    assert f"| {study.WITHIN} | 50% | – | 0% | 6 |" in said
