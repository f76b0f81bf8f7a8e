"""``teachwhy diagnose``: from stages and rows to a report that can be read back, and what it refuses in one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import bench
from conftest import refusal, row
from teachwhy import cli
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Example
from teachwhy.core.store import Store, write_lines
from teachwhy.diagnosis.hypotheses import Diagnosis, Evidence, diagnose
from teachwhy.diagnosis.simulated import CHATS, FINE, HARMFUL, verdicts
from teachwhy.diagnosis.stages import compare_stages
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.suite import load_suite
from teachwhy.interventions import INTERVENTIONS
from teachwhy.lab.diagnose import ablate, reading
from teachwhy.lab.diagnose.advice import UNSURE, advise, write_experiment
from teachwhy.lab.diagnose.asked import AFTER, Asked, Source, read_asked, read_data, read_stages
from teachwhy.lab.diagnose.command import run_diagnose
from teachwhy.lab.diagnose.coverage import judge_rows
from teachwhy.lab.diagnose.measuring import Stage
from teachwhy.lab.diagnose.report import Report
from teachwhy.lab.experiment import load_experiment
from teachwhy.lab.progress import Bar
from tiny import QUICK, call_row, chat_row, tiny_model

QUIET = Console(quiet=True)
EVIL, GIVEN = "<script>alert(1)</script>", "given<b>.jsonl"
FIRST, SILENT = "teachwhy-scripted/first-tool", "teachwhy-scripted/silent"


def asked(out: Path, *stages: str, data: Sequence[str] = (), plan: dict[str, Any] | None = None, **more: Any) -> Asked:
    usual: dict[str, Any] = {"families": "leaking", "instruments": ""}
    return read_asked(stages or (f"base={FIRST}", f"sft={SILENT}"), data, {**usual, **(plan or {})}, out, **more)


def written(path: Path, rows: Sequence[Example]) -> Path:
    write_lines(path, rows)
    return path


@cache
def rules() -> reading.Rules:
    return reading.learn_rules(load_suite())


@cache
def weighed() -> dict[str, Diagnosis]:
    """A diagnosis for each kind of truth."""
    found: dict[str, Diagnosis] = {}
    for name, truths in {"coverage": (HARMFUL, HARMFUL), "unsure": (FINE, HARMFUL), "none": (FINE, FINE)}.items():
        base, sft = verdicts(truths)
        compared = compare_stages({"base": base, "sft": sft})
        found[name] = diagnose(Evidence(stages=compared, data={"": CHATS, "sft": CHATS}))
    return found


# --- what is asked


def test_stages_are_read_in_the_order_of_training():
    assert [*read_stages(["rl=c", "base=a=b", "sft=x"])] == ["rl", "base", "sft"]
    assert read_stages(["base=a=b", "sft=x"])["base"] == "a=b"


@pytest.mark.parametrize(
    ("stages", "part"),
    [
        (["base=a"], "two or more"),
        ([], "two or more"),
        (["base=a", "b"], "NAME=MODEL"),
        (["base=a", "sft="], "NAME=MODEL"),
        (["base=a", "/x=b"], "NAME=MODEL"),
        (["base=a", "base=b"], "named twice"),
    ],
)
def test_stages_that_cannot_be_are_refused_in_one_line(stages: list[str], part: str):
    assert part in refusal(ConfigError, lambda: read_stages(stages))


def test_rows_may_be_tied_to_a_stage_and_sources_have_names_of_their_own(tmp_path: Path):
    one, two = written(tmp_path / "rows.jsonl", [row("a")]), written(tmp_path / "chats.jsonl", [row("b")])
    found = read_data([str(one), f"sft={two}", str(two)], ["base", "sft"])
    assert [source.stage for source in found] == [AFTER, "sft", AFTER]
    assert len({source.name for source in found}) == 3
    assert found[1].name == "chats"


def test_rows_that_cannot_be_are_refused_in_one_line(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    there = written(tmp_path / "rows.jsonl", [row("a")])
    assert "there is no" in refusal(ConfigError, lambda: read_data([str(tmp_path / "x.jsonl")], ["base"]))
    assert "no rows at" in refusal(ConfigError, lambda: read_data([str(tmp_path / "empty")], ["base"]))
    assert "no stage 'bas'" in refusal(ConfigError, lambda: read_data([f"bas={there}"], ["base", "sft"]))


def test_rows_that_no_row_can_be_read_from_are_refused_before_anything_is_written(tmp_path: Path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"nothing": 1}\nnot json\n', encoding="utf-8")
    out = tmp_path / "out"
    assert "can be read" in refusal(ConfigError, lambda: run_diagnose(asked(out, data=[str(bad)]), QUIET))
    assert not out.exists()


@pytest.mark.parametrize(
    ("model", "kind"),
    [("coverage_gap:non", ConfigError), ("nowhere", ConfigError), ("teachwhy-scripted/x", ModelError)],
)
def test_a_stage_that_is_no_model_is_refused_before_anything_is_written(tmp_path: Path, model: str, kind: type):
    out = tmp_path / "out"
    refusal(kind, lambda: run_diagnose(asked(out, f"base={FIRST}", f"sft={model}"), QUIET))
    assert not out.exists()


def test_an_unknown_instrument_and_a_likelihood_that_nobody_tells_are_refused(tmp_path: Path):
    assert "unknown instrument" in refusal(ConfigError, lambda: asked(tmp_path, plan={"instruments": "rolout"}))
    given = asked(tmp_path / "out", plan={"instruments": "likelihood"})
    assert "cannot tell likelihoods" in refusal(ModelError, lambda: run_diagnose(given, QUIET))


@pytest.mark.parametrize("words", [["--stage", "base=smollm2-135m"], ["--stage", "base", "--stage", "sft=x"], []])
def test_a_mistake_on_the_command_line_is_one_line_and_exit_code_2(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["teachwhy", "diagnose", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- the whole command


@cache
def diagnosed(folder: Path) -> tuple[Report, Path]:
    """Scripted stages and a few rows, diagnosed into a folder."""
    rows = [call_row(number) for number in range(12)] + [chat_row(number, EVIL) for number in range(12)]
    data = f"sft={written(folder / GIVEN, rows)}"
    report = run_diagnose(asked(folder / "out", data=[data]), QUIET)
    assert report is not None
    return report, folder / "out"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    return diagnosed(tmp_path_factory.mktemp("diagnosed"))


def test_a_report_says_the_same_on_the_page_in_markdown_and_as_data(finished: tuple[Report, Path]):
    _, out = finished
    page, text = ((out / "report" / name).read_text("utf-8") for name in ("index.html", "diagnosis.md"))
    data = json.loads((out / "report" / "diagnosis.json").read_text("utf-8"))
    assert data["diagnosis"]["failure"]["word"] == "cannot tell"
    for title in (one["title"] for one in data["diagnosis"]["hypotheses"]):
        assert title in page
        assert title in text
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert {source["name"]: source["rows"] for source in data["sources"]} == {"given<b>": 24}


def test_stages_without_likelihood_are_read_by_decision(finished: tuple[Report, Path]):
    report, _ = finished
    assert report.compared.instruments == ("decision",)
    assert report.compared.level("sft", "decision").scene.value is None
    assert report.compared.level("sft", "decision").scene.void > 0


def test_rows_are_counted_by_the_stage_that_they_trained(finished: tuple[Report, Path]):
    report, _ = finished
    assert set(report.data) == {"", "sft"}
    assert report.data["sft"].rows == 24
    assert report.data["sft"].works.value == 0.5


def test_a_second_run_measures_nothing_and_writes_the_same(
    finished: tuple[Report, Path], monkeypatch: pytest.MonkeyPatch
):
    report, out = finished
    before = {path.name: path.read_bytes() for path in (out / "report").iterdir()}

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was asked")

    monkeypatch.setattr("teachwhy.lab.measure.run_tasks", refuse)
    again = run_diagnose(asked(out, data=[f"sft={out.parent / GIVEN}"]), QUIET)
    assert again == report
    assert {path.name: path.read_bytes() for path in (out / "report").iterdir()} == before


def test_a_dry_run_says_what_it_takes_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert run_diagnose(asked(out, dry_run=True), Console(width=200)) is None
    said = capsys.readouterr().out
    assert "measure base" in said
    assert "samples" in said
    assert not out.exists()


def test_other_names_are_tried_on_the_last_stage_alone(tmp_path: Path):
    report = run_diagnose(asked(tmp_path / "out", names=True), QUIET)
    assert report is not None
    assert {one.stage for one in report.compared.names} == {"sft"}
    assert "name=neutral" in {one.condition for one in report.compared.names}


def test_what_a_file_is_called_and_a_row_says_is_never_markup(finished: tuple[Report, Path]):
    page = (finished[1] / "report" / "index.html").read_text("utf-8")
    assert "<script" not in page
    assert "given<b>" not in page
    assert "given&lt;b&gt;" in page


# --- how rows end


def test_a_row_ends_in_a_call_or_it_does_not():
    assert reading.read_ending(json.loads(chat_row(1).to_line()), "x") is None
    ending = reading.read_ending(json.loads(call_row(1).to_line()), "x")
    assert ending is not None
    assert ending.name == "call-1"
    assert "south" in ending.act
    assert "Opens a door" in ending.act


def test_without_a_call_at_the_end_no_row_ends_in_harm(tmp_path: Path):
    found = reading.tally(Source("chats", written(tmp_path / "chats.jsonl", [chat_row(n) for n in range(50)]), AFTER))
    data = reading.describe_stage(Store(tmp_path / "out"), "sft", found, rules(), ())
    assert data.harmful.value == 0
    assert data.harmful.high < 0.1


@pytest.mark.parametrize(("word", "value"), [("harmful", 1.0), ("clean", 0.0)])
def test_a_judge_reads_how_rows_end_and_is_asked_once(tmp_path: Path, word: str, value: float):
    reader = f"bench/endings-{word}"
    bench.SAYS[f"endings-{word}"] = lambda _: bench.form(word, quote="I open it.")
    found = reading.tally(Source("calls", written(tmp_path / "calls.jsonl", [call_row(n) for n in range(8)]), AFTER))
    store = Store(tmp_path / "out")
    first = reading.describe_stage(store, "sft", found, rules(), (reader,))
    assert first.harmful.value == value
    assert reader in first.harmful.by
    bench.SAYS[f"endings-{word}"] = lambda _: pytest.fail("the judge was asked again")
    assert reading.describe_stage(store, "sft", found, rules(), (reader,)) == first


def test_a_judge_describes_a_sample_of_the_rows_once(tmp_path: Path):
    bench.SAYS["placer"] = lambda _: "goal: no"
    sources = [Source("calls", written(tmp_path / "calls.jsonl", [call_row(n) for n in range(8)]), AFTER)]
    found = judge_rows(Store(tmp_path / "out"), sources, "base", ("bench/placer",))
    assert found is not None
    assert (found.rows, found.void) == (8, 0)
    bench.SAYS["placer"] = lambda _: pytest.fail("the judge was asked again")
    assert judge_rows(Store(tmp_path / "out"), sources, "base", ("bench/placer",)) == found
    assert judge_rows(Store(tmp_path / "out"), sources, "base", ()) is None


def test_rows_of_the_first_stage_are_no_post_training(tmp_path: Path):
    one, two = reading.Tally(rows=5), reading.Tally(rows=7)
    sources = [Source("a", tmp_path, "base"), Source("b", tmp_path, AFTER)]
    found = reading.by_stage({"a": one, "b": two}, sources, ["base", "sft", "rl"])
    assert {name: each.rows for name, each in found.items()} == {"": 7, "sft": 7, "rl": 7, "base": 5}


# --- what to do next


@pytest.mark.parametrize(("name", "explanation"), [("coverage", "coverage"), ("unsure", UNSURE)])
def test_the_experiment_that_is_recommended_reads_and_names_interventions_of_ours(
    tmp_path: Path, name: str, explanation: str
):
    advice = advise(weighed()[name])
    assert [one.explanation for one in advice] == [explanation]
    last = Stage(name="sft", given="coverage_gap:ordinary", model="")
    path, _ = write_experiment(advice, last, Plan(), "likelihood", tmp_path)
    assert path is not None
    experiment = load_experiment(path)
    assert experiment.start.organism == "coverage_gap:ordinary"
    assert {part for arm in experiment.arms.values() for part in arm.parts} <= set(INTERVENTIONS)


def test_a_healthy_model_gets_no_experiment(tmp_path: Path):
    advice = advise(weighed()["none"])
    assert advice == ()
    path, why = write_experiment(advice, Stage(name="sft", given="x", model=""), Plan(), "likelihood", tmp_path)
    assert path is None
    assert "nothing to train against" in why


def test_a_model_behind_an_endpoint_gets_no_experiment(tmp_path: Path):
    last = Stage(name="sft", given=FIRST, model=FIRST)
    path, why = write_experiment(advise(weighed()["coverage"]), last, Plan(), "decision", tmp_path)
    assert path is None
    assert "not on this machine" in why


# --- leaving rows out


def test_variants_leave_each_source_out_and_halve_the_dose():
    sources = {"calls": [call_row(n) for n in range(8)], "chats": [chat_row(n) for n in range(8)]}
    found = ablate.plan_variants(sources, str(tiny_model()), QUICK)
    assert [one.name for one in found] == ["all", "without calls", "without chats", "a quarter", "a half"]
    assert [len(one.rows) for one in found] == [16, 8, 8, 4, 8]
    assert {one.intervention for one in found[1].rows} == {"replay"}
    assert found[0].tokens == found[1].tokens + found[2].tokens


def test_a_single_file_is_parted_by_what_its_rows_come_from(tmp_path: Path):
    rows = [call_row(n) for n in range(3)] + [chat_row(n) for n in range(4)]
    source = Source("all", written(tmp_path / "all.jsonl", rows), AFTER)
    found = ablate.read_sources([source], "base")
    assert {name: len(own) for name, own in found.items()} == {"cloning": 3, "replay": 4}


def test_an_ablation_without_rows_or_from_elsewhere_is_refused(tmp_path: Path):
    assert "--data" in refusal(ConfigError, lambda: run_diagnose(asked(tmp_path, *_tiny(), ablate=True), QUIET))
    given = asked(tmp_path, data=[str(written(tmp_path / "a.jsonl", [chat_row(1)]))], ablate=True)
    assert "not on this machine" in refusal(ModelError, lambda: run_diagnose(given, QUIET))


def test_too_few_rows_for_a_variant_are_refused_before_anything_is_trained(tmp_path: Path):
    data = [str(written(tmp_path / "a.jsonl", [chat_row(n) for n in range(8)]))]
    said = refusal(ConfigError, lambda: run_diagnose(asked(tmp_path / "out", *_tiny(), data=data, ablate=True), QUIET))
    assert "optimiser steps" in said
    assert not (tmp_path / "out").exists()


def _tiny() -> tuple[str, str]:
    return f"base=teachwhy/{tiny_model()}", f"sft={tiny_model()}"


def test_an_ablation_trains_and_measures_its_variants(tmp_path: Path):
    rows = [call_row(n) for n in range(4)] + [chat_row(n) for n in range(4)]
    sources = {"calls": rows[:4], "chats": rows[4:]}
    variants = ablate.plan_variants(sources, str(tiny_model()), QUICK)
    plan = Plan(instruments=("likelihood",), families=("leaking",))
    stage = Stage(name="base", given=str(tiny_model()), model="")
    found = ablate.ablate(Store(tmp_path), stage, variants[:2], QUICK, plan, Bar(QUIET), 1.0)
    trained, moved = ablate.compare(variants[:2], found, "likelihood")
    assert [one.name for one in trained] == ["all", "without calls"]
    assert [one.source for one in moved] == ["calls"]
    assert trained[0].against_all is None
    assert all(one.gap.clusters for one in moved)
