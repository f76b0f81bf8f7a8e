"""Every pipeline runs end to end against a real HTTP endpoint, whatever the endpoint does."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI
from starlette.responses import JSONResponse, Response
from tenacity import wait_none

from conftest import refusal
from endpoint import LASTING, PASSING, REJECTED, Endpoint, Faulty, key_of, scripted, serve
from orders import FAMILIES, WRITER, answers_of, ask, constitution, made, order, words
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Example, Scenario
from teachwhy.core.store import read_lines
from teachwhy.interventions import INTERVENTIONS, Built
from teachwhy.interventions import pipeline as filling
from teachwhy.interventions.library.shelf import training_scenes
from teachwhy.interventions.sampling.injections import RUTHLESS, load_injections
from teachwhy.interventions.writers import Ledger
from teachwhy.lab.build import Request, build_folder
from teachwhy.models.endpoint import answer_with, to_completion
from tiny import tiny_model

CASES: tuple[tuple[str, dict[str, str]], ...] = (
    ("cloning", {}),
    ("cloning", {"filter": "preference"}),
    ("explained", {}),
    ("explained", {"variant": "rewrite"}),
    *(("explained", {"injection": name}) for name in (RUTHLESS, "honesty")),
    ("advice", {}),
    ("documents", {}),
    ("documents", {"as": "chat"}),
    ("stories", {}),
    ("stories", {"kind": "aligned"}),
    ("stories", {"kind": "health"}),
    ("replay", {}),
    ("stripped_reasons", {}),
    ("filler", {}),
    ("irrelevant_principle", {}),
    ("eval_description", {}),
    ("conflict", {}),
)
BY_NAME = dict(reversed(CASES))
"""Each intervention once, with its first options."""


@cache
def scenes() -> dict[str, Scenario]:
    return {scene.id: scene for scene in training_scenes(FAMILIES)}


# Every pipeline, with a writer that does as it is asked


@pytest.fixture(scope="module")
def honest() -> Iterator[Endpoint]:
    with serve(scripted()) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def baited() -> Iterator[Endpoint]:
    with serve(scripted("bait-taker")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def results(
    honest: Endpoint, baited: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[int, tuple[Request, Path, Built, Ledger]]:
    """Number of the case to what came of it."""
    found: dict[int, tuple[Request, Path, Built, Ledger]] = {}
    for number, (name, options) in enumerate(CASES):
        request = ask(name, baited if name == "conflict" else honest, replace(order(name), options=options))
        out = tmp_path_factory.mktemp(name)
        found[number] = (request, out, *made(request, out))
    return found


def test_every_pipeline_is_among_the_cases():
    assert set(BY_NAME) == {name for name, one in INTERVENTIONS.items() if one.pipeline is not None}


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{name}-{options}" for name, options in CASES])
def test_every_pipeline_fills_its_folder(results: Mapping[int, tuple[Request, Path, Built, Ledger]], case: int):
    request, out, built, ledger = results[case]
    files = {"answers.jsonl", "dropped.json", "examples.jsonl", "manifest.json", "order.json", "README.md"}
    assert files | {"rows.jsonl", "rows.parquet"} <= {path.name for path in out.iterdir()}
    check_rows(request, out, built)
    answers = answers_of(out)
    assert ledger.calls == len(answers)
    assert (ledger.reads, ledger.writes) == (
        sum(answer.reads for answer in answers.values()),
        sum(answer.writes for answer in answers.values()),
    )
    assert not ledger.mishaps
    assert build_folder(request, out) is None


def check_rows(request: Request, out: Path, built: Built) -> None:
    """Whole rows, within the budget, each with where it came from."""
    rows, intervention, answers = built.rows, request.intervention, answers_of(out)
    assert rows
    assert built.tokens == sum(words(row) for row in rows) <= request.order.tokens
    assert len({row.id for row in rows}) == len(rows)
    assert read_lines(out / "examples.jsonl", Example) == list(rows)
    assert [json.loads(line)["id"] for line in (out / "rows.jsonl").read_text().splitlines()] == [
        row.id for row in rows
    ]
    assert Dataset.from_parquet(str(out / "rows.parquet"))["id"] == [row.id for row in rows]
    given = {row.id for row in request.order.rows}
    for row in rows:
        assert row.intervention == request.name
        assert row.text or (row.messages[-1].role == "assistant" and len(row.messages) > 1)
        if row.source in given:  # an act alone, for which nobody is asked
            assert row.messages[-1].tool_calls
            continue
        answer = answers[row.source]
        assert row.writer == answer.model == WRITER
        assert row.prompt_hash == answer.prompt_hash
        assert row.stage in (answer.stage, request.name)
        assert intervention.prompts[answer.stage].hash == row.prompt_hash
        check_clauses(request, row)


def check_clauses(request: Request, row: Example) -> None:
    if request.name in ("cloning", "explained", "conflict"):
        scene = scenes()[row.id.partition("/")[2].rpartition("-s")[0]]
        assert (row.clauses, row.family) == (scene.clauses, scene.family)
    elif request.name in ("advice", "documents", "stories"):
        assert set(row.clauses) <= {clause.id for clause in constitution().clauses}
        assert len(row.clauses) == 1


def test_every_prompt_is_used_and_all_its_slots_are_filled(
    results: Mapping[int, tuple[Request, Path, Built, Ledger]], honest: Endpoint
):
    prompts = {prompt.name for one in INTERVENTIONS.values() for prompt in one.prompts.values()}
    used = {answer.prompt for _, out, _, _ in results.values() for answer in answers_of(out).values()}
    assert used == prompts
    sent = "\n".join(str(turn["content"]) for body in honest.asked for turn in body["messages"])
    for slot in ("clause", "clauses", "scene", "principle", "constitution", "preamble", "text", "said", "about"):
        assert f"{{{slot}}}" not in sent


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{name}-{options}" for name, options in CASES])
def test_an_injection_is_in_no_row_but_the_persona_that_stays(
    results: Mapping[int, tuple[Request, Path, Built, Ledger]], case: int
):
    name, options = CASES[case]
    _, _, built, _ = results[case]
    stays = name == "explained" and options.get("injection") == RUTHLESS
    for row in built.rows:
        for injection, text in load_injections().items():
            assert (text in row.said()) == (stays and injection == RUTHLESS)
        if name == "advice":
            assert all(clause.text not in row.said() for clause in constitution().clauses)


@pytest.mark.parametrize(
    ("name", "injection"), [("explained", "honesty"), ("explained", RUTHLESS), ("conflict", RUTHLESS)]
)
def test_the_writer_acts_under_the_injection(
    honest: Endpoint, baited: Endpoint, results: Any, name: str, injection: str
):
    del results
    asked = (baited if name == "conflict" else honest).asked
    assert any(body["messages"][0]["content"].endswith(load_injections()[injection]) for body in asked)


def test_the_detector_knows_the_bait_without_a_judge(tmp_path: Path):
    async def answer(body: dict[str, Any]) -> Response:
        act = next(one for one in scenes().values() if body["messages"][0]["content"].startswith(one.system)).harmful[0]
        return JSONResponse(to_completion(ModelOutput.for_tool_call("x", act.tool, dict(act.args)), body["model"]))

    with serve(answer) as endpoint:
        built, _ = made(ask("conflict", endpoint, order("conflict", without=["judge"])), tmp_path / "bad")
        assert built.rows
        assert built.dropped.keys() <= {"beyond the token budget"}
        with pytest.raises(ConfigError, match="took the bait"):
            made(ask("cloning", endpoint), tmp_path / "good")


# Every pipeline, with a model that can hardly speak


@pytest.fixture(scope="module")
def babbling() -> Iterator[Endpoint]:
    with serve(answer_with(get_model(f"teachwhy/{tiny_model()}"))) as endpoint:
        yield endpoint


@pytest.mark.parametrize("name", BY_NAME)
def test_a_writer_that_cannot_write_ends_in_rows_or_in_one_line(
    babbling: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(filling, "HOPELESS", 2)
    monkeypatch.setattr(filling, "_PATIENCE", 1)
    request = ask(name, babbling, order(name), connections=2)
    said, built = "", None
    try:
        built, _ = made(request, tmp_path / "out")
    except ConfigError as error:
        said = str(error)
    if built is not None:
        check_rows(request, tmp_path / "out", built)
    else:
        assert "\n" not in said
        assert re.search(
            r"rows were all dropped, \d+ of them for '|no row was kept within \d+ tokens \(.+: \d+\)", said
        )
        assert not (tmp_path / "out" / "manifest.json").exists()


# Faults


def no_pause(api: OpenAICompatibleAPI) -> wait_none:
    """In place of the seconds that lie between one try and the next."""
    del api
    return wait_none()


@pytest.mark.parametrize("name", ["advice", "explained"])
def test_whatever_goes_wrong_is_counted_and_nothing_is_paid_twice(tmp_path: Path, name: str):
    faulty = Faulty(scripted(), every=4)
    with serve(faulty) as endpoint:
        request = ask(name, endpoint, order(name, 4000), timeout=60)
        built, ledger = made(request, tmp_path)
    check_rows(request, tmp_path, built)
    assert set(faulty.met.values()) >= {*PASSING, *LASTING, REJECTED} - {"no form", "refusal"}
    again, once = faulty.count("other model"), {"no choice", "malformed"}
    assert ledger.mishaps == {
        "answered by another model": 3 * again,
        "call failed": faulty.count(*once) + 3 * faulty.count(REJECTED),
    }
    kinds: Counter[str] = Counter()
    for reason, times in built.dropped.items():
        kinds[reason.split()[0]] += times
    assert kinds["refused"] == faulty.count("refusal", "filtered")
    assert kinds["cut"] == faulty.count("cut off")
    assert kinds["unreadable"] == faulty.count("no form")
    assert kinds["answered"] == again
    assert kinds["call"] == faulty.count(REJECTED)
    assert kinds.keys() <= {"refused", "cut", "unreadable", "answered", "call", "took", "beyond"}
    twice = {key for key, times in faulty.paid.items() if times > 1}
    assert twice == {key for key, fault in faulty.met.items() if fault == "other model"}
    assert "another-model" not in {row.writer for row in built.rows}
    assert ledger.calls == faulty.paid.total()
    assert json.loads((tmp_path / "dropped.json").read_text())["rows"] == built.dropped


def at_once(_: OpenAICompatibleAPI) -> wait_none:
    """No waiting before the next try."""
    return wait_none()


def test_a_call_that_takes_too_long_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(OpenAICompatibleAPI, "retry_wait", at_once)
    good, slow = scripted(), set[str]()

    async def answer(body: dict[str, Any]) -> Response:
        if not slow:
            slow.add(key_of(body))
            await asyncio.sleep(2)
        return await good(body)

    with serve(answer) as endpoint:
        request = ask("eval_description", endpoint, order("eval_description", 200), timeout=1)
        built, ledger = made(request, tmp_path)
    check_rows(request, tmp_path, built)
    assert not built.dropped.keys() - {"beyond the token budget"}
    assert not ledger.mishaps
    assert endpoint.keys().count(*slow) == 2


@pytest.mark.parametrize("status", [401, 402, 404])
def test_what_no_second_try_mends_ends_the_build_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int):
    async def answer(body: dict[str, Any]) -> Response:
        del body
        return JSONResponse({"error": {"message": "not with this key"}}, status)

    with serve(answer) as endpoint:
        said = refusal(ModelError, lambda: made(ask("replay", endpoint, connections=4), tmp_path))
    assert f"{WRITER} answers with {status}: Error code: {status} - not with this key; mend" in said
    assert len(endpoint.asked) <= 8
    gc.collect()
    said_in_vain = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not said_in_vain, "an error of a call that nobody waits for any more is nobody's"


def test_a_writer_that_never_answered_ends_the_build_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(OpenAICompatibleAPI, "retry_wait", no_pause)

    async def answer(body: dict[str, Any]) -> Response:
        del body
        return JSONResponse({"error": {"message": "loading"}}, 503, headers={"retry-after-ms": "1"})

    with serve(answer) as endpoint:
        said = refusal(ModelError, lambda: made(ask("replay", endpoint, connections=1), tmp_path))
    assert said.startswith(f"{WRITER} does not answer: Error code: 503 - loading; see that it runs")


def test_a_dead_writer_is_given_up_with_what_it_last_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(filling, "HOPELESS", 3)

    async def answer(body: dict[str, Any]) -> Response:
        del body
        return JSONResponse({"error": {"message": "flagged"}}, 403)

    with serve(answer) as endpoint:
        said = refusal(ConfigError, lambda: made(ask("replay", endpoint), tmp_path))
    assert "3 of them for 'call failed' (the last error: Error code: 403 - flagged)" in said


# Ablations


FULL = {"advice": 900, "documents": 900, "stories": 900, "cloning": 900}
STAGES = [(name, step.name) for name in FULL for step in INTERVENTIONS[name].steps if step.optional]
OTHER_ITEMS = {"principles", "scenes", "types", "subtypes", "premises"}
"""Without one of these there are other items, and so other ids."""
NO_ANSWER_OF_ITS_OWN = {"injection"}


@pytest.fixture(scope="module")
def whole(honest: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Built]]:
    """Builds with every stage."""
    found: dict[str, tuple[Path, Built]] = {}
    for name, tokens in FULL.items():
        out = tmp_path_factory.mktemp(name)
        found[name] = out, made(ask(name, honest, order(name, tokens)), out)[0]
    return found


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_without_a_stage_all_before_it_is_the_same_and_costs_nothing(
    honest: Endpoint, whole: Mapping[str, tuple[Path, Built]], tmp_path: Path, name: str, stage: str
):
    folder, full = whole[name]
    before = len(honest.asked)
    built, ledger = made(ask(name, honest, order(name, 400, without=[stage]), reuse=folder), tmp_path)
    known, answers = answers_of(folder), answers_of(tmp_path)
    new = {key for key in answers if key not in known}
    assert ledger.calls == len(new) == len(honest.asked) - before
    assert stage not in {answer.stage for answer in answers.values()}
    names = [step.name for step in INTERVENTIONS[name].steps if step.name not in NO_ANSWER_OF_ITS_OWN]
    upstream = names[: names.index("answer" if stage == "injection" else stage)]
    assert not {answers[key].stage for key in new} & set(upstream)
    if stage not in OTHER_ITEMS:
        ids = [row.id for row in built.rows]
        assert ids == [row.id for row in full.rows][: len(ids)]


@pytest.mark.parametrize(("name", "stage"), [("advice", "response_rewrite"), ("documents", "review")])
def test_a_row_without_its_last_stage_is_what_that_stage_was_given(
    honest: Endpoint, whole: Mapping[str, tuple[Path, Built]], tmp_path: Path, name: str, stage: str
):
    folder, full = whole[name]
    built, _ = made(ask(name, honest, order(name, 400, without=[stage])), tmp_path)
    known = answers_of(folder)
    for row, rewritten in zip(built.rows, full.rows, strict=False):
        assert row.id == rewritten.id
        assert known[rewritten.source].parents == (row.source,)
        assert row.said() != rewritten.said()


def test_reuse_gives_the_same_rows_for_nothing(
    honest: Endpoint, whole: Mapping[str, tuple[Path, Built]], tmp_path: Path
):
    folder, full = whole["advice"]
    before = len(honest.asked)
    built, ledger = made(ask("advice", honest, order("advice", FULL["advice"]), reuse=folder), tmp_path)
    assert built.rows == full.rows
    assert (ledger.calls, len(honest.asked)) == (0, before)
