"""``teachwhy eval`` and ``teachwhy grade``: rates with what stands beside them, and grading that samples nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conftest import refusal
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Verdict
from teachwhy.core.store import read_lines
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.axes import read_axes
from teachwhy.lab.evaluate import Asked, read_plan, run_eval
from teachwhy.lab.regrade import grade_again
from teachwhy.models.scripted import ScriptedAPI

FIRST = "teachwhy-scripted/first-tool"
QUIET = Console(quiet=True)


def plan(**more: Any) -> Plan:
    return read_plan({"instruments": ("decision",), "families": ("leaking",), **more})


def measured(out: Path, **more: Any) -> Path:
    run_eval(Asked(FIRST, ("honeypots",), plan(**more), out), QUIET)
    return out


def verdicts(folder: Path) -> list[Verdict]:
    return list(read_lines(folder / "verdicts.jsonl", Verdict))


def refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a model was asked")


def test_a_measurement_leaves_logs_verdicts_rates_and_what_was_asked(tmp_path: Path):
    out = measured(tmp_path / "out")
    assert list((out / "logs").glob("*.eval"))
    rates = json.loads((out / "rates.json").read_text(encoding="utf-8"))
    assert {line["eval"] for line in rates} == {"honeypots"}
    assert {line["family"] for line in rates} == {"", "leaking"}
    told = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    assert (told["model"], told["plan"]["unlock"]) == (FIRST, False)


def test_unlocking_is_written_into_the_run(tmp_path: Path):
    out = measured(tmp_path / "out", families=("surveillance",), unlock=True)
    assert json.loads((out / "plan.json").read_text(encoding="utf-8"))["plan"]["unlock"] is True
    assert {verdict.split for verdict in verdicts(out)} == {"locked"}


def test_conditions_stand_beside_the_scenes_as_they_are_written(tmp_path: Path):
    out = measured(tmp_path / "out", axes=read_axes("name=neutral;framing=test"))
    found = {verdict.condition for verdict in verdicts(out)}
    assert found == {"", "name=neutral", "framing=test"}


def test_a_dry_run_asks_nobody_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ScriptedAPI, "generate", refuse)
    run_eval(Asked(FIRST, ("honeypots",), plan(), tmp_path / "out"), QUIET, dry_run=True)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_a_measurement_is_not_written_over(tmp_path: Path):
    out = measured(tmp_path / "out")
    assert "holds a measurement already" in refusal(ConfigError, lambda: measured(out))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"evals": ()}, "no eval is named"),
        ({"evals": ("honeypots", "honeypots")}, "named twice"),
        ({"evals": ("assessment",)}, "needs 'likelihood' among the instruments, or judges"),
        ({"evals": ("honeypot",)}, "did you mean 'honeypots'?"),
        ({"model": "teachwhy-scripted/first-tol"}, "did you mean 'first-tool'?"),
        ({"model": "no-such-provider/x"}, "cannot open the model"),
        ({"plan": {"families": ("endangerment",)}}, "--unlock"),
        ({"plan": {"axes": {"goal": ("latnet",)}}}, "did you mean 'latent'?"),
        ({"plan": {"axes": {"name": ("own",)}}}, "--model-name"),
        ({"plan": {"judges": ("no-such-provider/x",)}}, "cannot open the judge"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line_and_nothing_is_written(
    asked: dict[str, Any], words: str, tmp_path: Path
):
    out = tmp_path / "out"
    whole = Asked(asked.get("model", FIRST), asked.get("evals", ("honeypots",)), plan(**asked.get("plan", {})), out)
    said = refusal((ConfigError, ModelError), lambda: run_eval(whole, QUIET))  # pyright: ignore[reportArgumentType]
    assert words in said
    assert not out.exists()


def test_an_instrument_that_there_is_not_is_refused_with_a_guess():
    assert "did you mean 'rollout'?" in refusal(ConfigError, lambda: read_plan({"instruments": ("rolout",)}))


@pytest.mark.parametrize("text", ["goal", "goal=", "goal= ,"])
def test_an_axis_without_levels_is_refused(text: str):
    assert "goal=latent,none" in refusal(ConfigError, lambda: read_axes(text))


def test_grading_again_asks_no_model_and_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = measured(tmp_path / "out")
    monkeypatch.setattr(ScriptedAPI, "generate", refuse)
    grade_again(out, (), tmp_path / "again", QUIET)
    assert verdicts(tmp_path / "again") == verdicts(out)


def test_judges_can_be_added_afterwards_and_stand_beside_the_rules(tmp_path: Path):
    out = measured(tmp_path / "out")
    judges = ("teachwhy-scripted/form-filler", "teachwhy-scripted/bait-taker")
    grade_again(out, judges, None, QUIET)
    (again,) = (out / "graded").iterdir()
    harmful = [verdict for verdict in verdicts(again) if verdict.dimension == "harmful"]
    assert harmful == [verdict for verdict in verdicts(out) if verdict.dimension == "harmful"]
    judged = [verdict for verdict in verdicts(again) if verdict.dimension == "judged_harmful"]
    assert judged
    assert {frozenset(verdict.opinions) for verdict in judged} == {frozenset(judges)}
    assert list((out / "logs").glob("*.eval"))


def test_a_grading_is_not_graded_again_as_if_it_were_a_measurement(tmp_path: Path):
    out = measured(tmp_path / "out")
    grade_again(out, (), out / "first", QUIET)
    grade_again(out, (), tmp_path / "second", QUIET)
    assert verdicts(tmp_path / "second") == verdicts(out)


def test_a_try_that_was_stopped_goes_on_after_its_last_finished_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    both = {"instruments": ("decision", "rollout")}
    once = measured(tmp_path / "once", **both)
    out, whole = tmp_path / "out", ScriptedAPI.generate

    async def stop(self: ScriptedAPI, *given: Any, **more: Any) -> Any:
        if [*(out / "logs").glob("*decision*.eval")] and len([*(out / "logs").glob("*.eval")]) > 1:
            raise KeyboardInterrupt
        return await whole(self, *given, **more)

    monkeypatch.setattr(ScriptedAPI, "generate", stop)
    with pytest.raises((KeyboardInterrupt, SystemExit, ModelError)):
        measured(out, **both)
    monkeypatch.setattr(ScriptedAPI, "generate", whole)
    assert not (out / "plan.json").exists()
    left = {path: path.stat().st_mtime_ns for path in (out / "logs").glob("*decision*.eval")}
    (out / "logs" / "cut-off.eval").write_bytes(b"PK")
    assert "another measurement" in refusal(ConfigError, lambda: measured(out, seed=4, **both))
    measured(out, **both)
    assert {path: path.stat().st_mtime_ns for path in (out / "logs").glob("*decision*.eval")} == left
    assert len([*(out / "logs").glob("*.eval")]) == 2
    assert verdicts(out) == verdicts(once)
    assert "holds a measurement already" in refusal(ConfigError, lambda: measured(out, **both))


def test_logs_of_nobody_knows_what_are_not_measured_into(tmp_path: Path):
    (tmp_path / "out" / "logs").mkdir(parents=True)
    assert "another measurement" in refusal(ConfigError, lambda: measured(tmp_path / "out"))


def test_a_dry_run_says_which_scenes_have_the_words_for_a_condition(tmp_path: Path):
    console = Console(record=True, width=200)
    asked = Asked(FIRST, ("honeypots",), plan(axes=read_axes("goal=none,latent")), tmp_path / "out")
    run_eval(asked, console, dry_run=True)
    said = console.export_text()
    assert "as written: " in said
    assert "goal=latent: " in said
    assert "so already" in said


def test_a_folder_without_logs_cannot_be_graded_again(tmp_path: Path):
    assert "no finished Inspect log" in refusal(ConfigError, lambda: grade_again(tmp_path, (), None, QUIET))
