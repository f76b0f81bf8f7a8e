"""Verdicts as rates: what could not be judged stands beside a number, and so does what the unaware did."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from teachwhy.core.records import Verdict
from teachwhy.core.stats import Graded, Rated, accuracy, cohens_kappa
from teachwhy.judges.check import JudgeCheck, Measured
from teachwhy.judges.rubric import named_rubric
from teachwhy.lab.rates import Line, lines
from teachwhy.lab.rates_console import print_lines


def verdict(scenario: str, value: float | None, **more: Any) -> Verdict:
    plain: dict[str, Any] = {
        "family": "leaking",
        "split": "train_like",
        "instrument": "rollout",
        "dimension": "harmful",
        "sample": 1,
        "grader": "rules",
    }
    return Verdict(scenario=scenario, value=value, **{**plain, **more})


def only(found: list[Line]) -> Line:
    assert len(found) == 1
    return found[0]


def test_a_void_is_counted_beside_the_rate_and_not_in_it():
    line = only(lines([verdict("a", 1.0), verdict("b", 0.0), verdict("c", None)]))
    assert (line.rate.value, line.rate.judged, line.rate.void) == (0.5, 2, 1)
    assert (line.rate.floor, line.rate.ceiling) == (1 / 3, 2 / 3)


def test_what_differs_in_split_side_condition_instrument_or_dimension_has_a_line_of_its_own():
    base = verdict("a", 1.0)
    others: list[dict[str, Any]] = [
        {"split": "held_out"},
        {"side": "twin"},
        {"condition": "name=neutral"},
        {"instrument": "decision"},
        {"dimension": "done"},
        {"eval": "capability"},
    ]
    found = lines([base, *(base.model_copy(update=other) for other in others)])
    assert len(found) == 1 + len(others)


def test_families_are_told_apart_only_when_asked():
    both = [verdict("a", 1.0), verdict("b", 0.0, family="framing")]
    assert only(lines(both)).family == ""
    assert {line.family: line.rate.value for line in lines(both, by_family=True)} == {"leaking": 1.0, "framing": 0.0}


def test_the_rate_among_those_that_showed_no_suspicion_stands_beside_the_rate():
    acts = [verdict("a", 0.0), verdict("b", 1.0), verdict("c", 1.0), verdict("d", 0.0)]
    suspicion = [
        verdict(name, value, dimension="aware") for name, value in zip("abcd", (1.0, 0.0, 0.0, None), strict=True)
    ]
    line = only(lines([*acts, *suspicion]))
    assert line.rate.value == 0.5
    assert line.unaware is not None
    assert (line.unaware.value, line.unaware.judged) == (1.0, 2)
    assert line.noticed is not None
    assert (line.noticed.value, line.noticed.void) == (1 / 3, 1)


def test_where_nobody_looked_for_suspicion_nothing_is_said_of_it():
    assert only(lines([verdict("a", 0.0)])).unaware is None


def test_much_of_a_good_thing_is_told_from_much_of_a_bad_one():
    found = {
        line.dimension: line.good
        for line in lines([verdict("a", 1.0), verdict("a", 1.0, dimension="done", side="twin")])
    }
    assert found == {"harmful": False, "done": True}


def test_the_terminal_shows_interval_voids_and_scenes_and_reads_nothing_as_markup():
    console = Console(width=160, record=True)
    odd = [verdict(name, value, condition="[red]x") for name, value in (("a", 1.0), ("b", None))]
    print_lines(lines([*odd, verdict("a", 0.0)]), console)
    text = console.export_text()
    assert "[red]x" in text
    assert "100%" in text
    row = next(line for line in text.splitlines() if "[red]x" in line)
    assert row.split()[-2:] == ["1", "1"]


def test_what_judges_said_is_corrected_by_how_they_did_on_labelled_transcripts():
    judged = [
        verdict(f"s{n}", float(n < 10), dimension="judged_harmful", opinions={"j": float(n < 10)}) for n in range(40)
    ]
    labels = [(f"y{n}", True, float(n < 16)) for n in range(20)] + [(f"n{n}", False, float(n < 2)) for n in range(20)]
    line = only(lines(judged, check=checked(labels)))
    assert line.corrected is not None
    # Rogan and Gladen: (0.25 + 0.9 - 1) / (0.8 + 0.9 - 1)
    assert line.corrected.value == pytest.approx(0.15 / 0.7)
    assert line.corrected.low < 0.15 / 0.7 < line.corrected.high
    assert line.rate.value == 0.25


def test_a_judge_that_guesses_corrects_nothing_and_one_that_was_not_measured_neither():
    judged = [verdict(f"s{n}", 1.0, dimension="judged_harmful", opinions={"j": 1.0}) for n in range(10)]
    labels = [(f"y{n}", True, float(n % 2)) for n in range(20)] + [(f"n{n}", False, float(n % 2)) for n in range(20)]
    line = only(lines(judged, check=checked(labels)))
    assert line.corrected is not None
    assert line.corrected.value is None
    other = [one.model_copy(update={"opinions": {"k": 1.0}}) for one in judged]
    assert only(lines(other, check=checked(labels))).corrected is None


def checked(labels: list[tuple[str, bool, float]]) -> JudgeCheck:
    gold = [Graded(*label) for label in labels]
    right = accuracy(gold)
    kappa = cohens_kappa([Rated(item.cluster, {"a": item.truth, "b": item.said}) for item in gold], "a", "b")
    one = Measured(
        judge="j",
        dimension="harmful",
        hits=0,
        misses=0,
        false_alarms=0,
        rejections=0,
        unclear=0,
        left_open=0,
        sensitivity=right.sensitivity,
        specificity=right.specificity,
        kappa=kappa,
        graded=tuple((name, truth, said) for name, truth, said in labels),
    )
    return JudgeCheck(
        judges=("j",),
        rubrics={"harmful": named_rubric("harmful").sha256},
        gold="",
        transcripts=len(labels),
        measured=(one,),
    )
