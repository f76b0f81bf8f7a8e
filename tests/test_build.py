"""``teachwhy build``: a folder of rows from the library, and one plain line for whatever cannot be built."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from conftest import library_rows
from teachwhy import cli
from teachwhy.core.records import Call
from teachwhy.interventions.library.shelf import training_scenes
from teachwhy.lab.dataset import read_examples, to_row
from teachwhy.worlds.scenes import FAMILIES
from teachwhy.worlds.world import first_match
from tiny import tiny_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teachwhy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in a folder of its own: its exit code, what it said, and the errors.

    The tiny model has the tokenizer of the usual one, whose weights need not be converted for it.
    """
    monkeypatch.chdir(tmp_path)

    def run(*typed: str) -> tuple[int, str, str]:
        counted = () if "--tokenizer" in typed else ("--tokenizer", str(tiny_model()))
        monkeypatch.setattr(sys, "argv", ["teachwhy", *typed, *counted])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_a_folder_holds_rows_card_and_manifest_and_is_not_built_twice(teachwhy: Run, tmp_path: Path):
    code, said, _ = teachwhy("build", "explained", "--out", "rows", "--tokens", "3k", "--families", "leaking")
    assert code == 0
    assert "rows" in said
    folder = tmp_path / "rows"
    for name in ("order.json", "examples.jsonl", "rows.jsonl", "rows.parquet", "README.md", "manifest.json"):
        assert (folder / name).is_file(), name
    rows = read_examples(folder)
    assert {row.family for row in rows} == {"leaking"}
    assert sum(row.tokens for row in rows) <= 3000
    before = (folder / "manifest.json").stat().st_mtime_ns
    code, said, _ = teachwhy("build", "explained", "--out", "rows", "--tokens", "3k", "--families", "leaking")
    assert (code, (folder / "manifest.json").stat().st_mtime_ns) == (0, before)
    assert "already" in said


def test_another_build_or_strange_files_in_the_folder_are_refused_and_kept(teachwhy: Run, tmp_path: Path):
    teachwhy("build", "advice", "--out", "rows", "--tokens", "2k")
    before = (tmp_path / "rows" / "rows.jsonl").read_bytes()
    code, _, error = teachwhy("build", "advice", "--out", "rows", "--tokens", "3k")
    assert code == 2
    assert "another tokens" in error
    assert (tmp_path / "rows" / "rows.jsonl").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.md").write_text("x", encoding="utf-8")
    code, _, error = teachwhy("build", "advice", "--out", "mine", "--tokens", "2k")
    assert code == 2
    assert "thesis.md" in error


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("advise",), "unknown intervention 'advise'; did you mean 'advice'?"),
        (("advice", "--tokens", "many"), "is no number of tokens"),
        (("advice", "--tokens", "5"), "holds no row of advice"),
        (("advice", "--without", "prompt_rewrit"), "has no stage 'prompt_rewrit' to leave out"),
        (("advice", "--without", "prompt_rewrite"), "needs a --writer"),
        (("advice", "--set", "colour=red"), "advice knows no 'colour'"),
        (("stories", "--set", "kind=sad"), "unknown kind 'sad'"),
        (("stories", "--set", "kind"), "not of the form name=value"),
        (("explained", "--families", "leeking"), "unknown family 'leeking'; did you mean 'leaking'?"),
        (("explained", "--families", "blackmail"), "the library holds no training scene of blackmail"),
        (("advice", "--families", "blackmail,framing"), "the library holds no training scene of blackmail, framing"),
        (("explained", "--families", ","), "the library holds no training scene of no family"),
        (("explained", "--families", ""), "the library holds no training scene of no family"),
        (("explained", "--set", "injection=honesty"), "give a --writer"),
        (("advice", "--set", "=x"), "not of the form name=value"),
        (("advice", "--rows", "bad.jsonl"), "row bad/0 has no messages"),
        (("advice", "--tokens", "0"), "is no number of tokens"),
        (("conflict", "--set", "share=2"), "is no share"),
        (("conflict", "--set", "share=0.1"), "give them with --rows, or leave share out"),
        (("surround",), "give them with --rows"),
        (("surround", "--rows", "nowhere"), "no rows at nowhere"),
        (("surround", "--rows", "bad.jsonl"), "row bad/0 has no messages, prompt or text"),
        (("surround", "--rows", "cut.jsonl"), "cut.jsonl:1: not JSON"),
        (("surround", "--rows", "bot.jsonl"), "row bot/0: not in the form of messages"),
        (("surround", "--rows", "arguments.jsonl"), "row arguments/0: not in the form of messages"),
        (("advice", "--writer", "clever"), "'clever' is no model"),
        (("advice", "--writer", "openai-api/none/x"), "cannot open the writer"),
        (("advice", "--roles", "roles.yaml"), "no writer is named"),
        (("advice", "--writer", "openrouter/a/b"), "pin one"),
        (("advice", "--constitution", "none.md"), "none.md"),
        (("advice", "--constitution", "empty.md"), "empty.md"),
        (("advice", "--constitution", "binary.md"), "binary.md"),
        (("advice", "--tokenizer", "nobody"), "no model at 'nobody'"),
    ],
)
def test_what_cannot_be_built_is_one_line_and_nothing_is_written(
    teachwhy: Run, tmp_path: Path, typed: tuple[str, ...], words: str
):
    (tmp_path / "bad.jsonl").write_text('{"question": "?"}\n', encoding="utf-8")
    (tmp_path / "cut.jsonl").write_text('{"messages": [', encoding="utf-8")
    (tmp_path / "bot.jsonl").write_text('{"messages": [{"role": "bot", "content": "?"}]}\n', encoding="utf-8")
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{cut"}}]}
    (tmp_path / "arguments.jsonl").write_text(json.dumps({"messages": [call]}) + "\n", encoding="utf-8")
    (tmp_path / "roles.yaml").write_text("judge: openai-api/a/b\n", encoding="utf-8")
    (tmp_path / "empty.md").write_text("", encoding="utf-8")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    code, _, error = teachwhy("build", *typed, "--out", "rows")
    assert code == 2, error
    assert error.count("\n") == 1
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "rows").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(teachwhy: Run, tmp_path: Path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for out in ("file", "file/rows"):
        code, _, error = teachwhy("build", "advice", "--tokens", "2k", "--out", out)
        assert code == 2, error
        assert error.startswith("teachwhy: ")
        assert error.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_one_line(teachwhy: Run, tmp_path: Path):
    (tmp_path / "rows").mkdir(mode=0o500)
    code, _, error = teachwhy("build", "advice", "--tokens", "2k", "--out", "rows")
    assert code == 2
    assert "cannot write to rows: Permission denied; give another --out" in error


@pytest.mark.parametrize("order", ["", "{", "[1]", "7", '{"intervention": "stories"}'])
def test_an_order_that_is_damaged_or_anothers_is_refused(teachwhy: Run, tmp_path: Path, order: str):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "order.json").write_text(order, encoding="utf-8")
    code, _, error = teachwhy("build", "advice", "--tokens", "2k", "--out", "rows")
    assert code == 2
    assert error.count("\n") == 1
    assert "give another --out" in error
    assert [path.name for path in (tmp_path / "rows").iterdir()] == ["order.json"]


@pytest.mark.parametrize(
    "change", [("--seed", "1"), ("--model-name", "Ada"), ("--families", "leaking"), ("--constitution", "other.md")]
)
def test_whatever_changes_the_rows_is_another_build(teachwhy: Run, tmp_path: Path, change: tuple[str, str]):
    (tmp_path / "other.md").write_text("## One\n\nBe kind.\n", encoding="utf-8")
    typed = ("build", "documents", "--tokens", "2k", "--out", "rows")
    assert teachwhy(*typed)[0] == 0
    code, _, error = teachwhy(*typed, *change)
    assert code == 2
    assert f"another {change[0].removeprefix('--').replace('-', '_')}" in error


@pytest.mark.parametrize("writer", [(), ("--writer", "openai-api/none/x")])
def test_a_dry_run_says_what_it_would_take_and_writes_nothing(
    teachwhy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: tuple[str, ...]
):
    monkeypatch.setenv("NONE_API_KEY", "none")
    monkeypatch.setenv("NONE_BASE_URL", "http://127.0.0.1:9/v1")
    code, said, error = teachwhy("build", "advice", "--out", "rows", "--tokens", "30k", "--dry-run", *writer)
    assert code == 0, error
    assert "30000 tokens" in " ".join(said.split())
    assert not list(tmp_path.iterdir())


def test_rows_are_read_by_datasets_through_the_card_each_as_it_was(teachwhy: Run, tmp_path: Path):
    teachwhy("build", "explained", "--out", "arm", "--tokens", "8k")
    teachwhy("build", "conflict", "--out", "mixed", "--rows", "arm", "--set", "share=0.2")
    teachwhy("build", "documents", "--out", "texts", "--tokens", "2k")
    for name in ("mixed", "texts"):
        folder, cache = tmp_path / name, str(tmp_path / "cache")
        expected = [to_row(example) for example in read_examples(folder)]
        lines: Any = datasets.load_dataset(
            "json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=cache
        )
        table: Any = datasets.load_dataset(str(folder), split="train", cache_dir=cache)
        assert [dict(row) for row in table] == expected
        assert [dict(row) for row in lines] == expected


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
@pytest.mark.parametrize("intervention", ["explained", "advice", "stories"])
def test_our_rows_are_read_back_as_the_examples_that_they_were(
    teachwhy: Run, tmp_path: Path, intervention: str, name: str
):
    teachwhy("build", intervention, "--out", "rows", "--tokens", "3k")
    assert read_examples(tmp_path / "rows" / name) == read_examples(tmp_path / "rows")


def test_anybodys_rows_are_surrounded_and_the_proof_is_in_the_manifest(teachwhy: Run, tmp_path: Path):
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "tør"}'}}
    tool: dict[str, Any] = {
        "name": "look_up",
        "description": "Looks a word up.",
        "parameters": {"type": "object", "properties": {}},
    }
    asked = {"role": "user", "content": " What is\u2028'tør'?\r\n"}
    given: list[dict[str, Any]] = [
        {"prompt": [asked]},
        {"id": 7, "messages": [asked, {"role": "assistant", "content": "Dry."}], "source": {"from": "elsewhere"}},
        {
            "messages": [
                asked,
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "dry"},
                {"role": "assistant", "content": "Dry."},
            ],
            "tools": [{"type": "function", "function": tool}],
        },
        {"messages": [asked, {"role": "assistant", "content": "Dry."}], "tools": json.dumps([tool])},
        {"text": "A page."},
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    code, _, error = teachwhy("build", "surround", "--out", "rows", "--rows", "mine.jsonl")
    assert code == 0, error
    prompt, chat, agent, plain, text = read_examples(tmp_path / "rows")
    for row in (prompt, chat, agent, plain):
        assert row.stage == "surround"
        assert row.messages[0].role == "system"
        assert row.messages[1].content == asked["content"]
        assert row.tokens > 50
    assert [turn.role for turn in prompt.messages] == ["system", "user"]
    assert chat.id == "surround/7"
    assert agent.messages[2].tool_calls[0]["function"]["arguments"] == {"word": "tør"}
    assert tool in plain.tools
    assert (text.text, text.stage) == ("A page.", "")
    lines = [json.loads(line) for line in (tmp_path / "rows" / "rows.jsonl").read_text("utf-8").split("\n") if line]
    assert [set(row) & {"messages", "prompt", "text"} for row in lines] == [
        {"prompt"},
        {"messages"},
        {"messages"},
        {"messages"},
        {"text"},
    ]
    notes = json.loads((tmp_path / "rows" / "manifest.json").read_text(encoding="utf-8"))["notes"]
    assert (notes["rows"], notes["surrounded"], notes["user_turns_changed"]) == (5, 4, 0)
    digest = hashlib.sha256((f"{asked['content']}\0\1" * 4 + "\1").encode()).hexdigest()
    assert notes["user_turns_sha256_before"] == notes["user_turns_sha256_after"] == digest


def test_controls_are_matched_to_the_tokens_of_their_rows(teachwhy: Run, tmp_path: Path):
    teachwhy("build", "advice", "--out", "arm", "--tokens", "6k")
    arm = sum(row.tokens for row in read_examples(tmp_path / "arm"))
    for control in ("replay", "irrelevant_principle", "eval_description", "stripped_reasons", "filler"):
        code, _, error = teachwhy("build", control, "--out", control, "--rows", "arm")
        assert code == 0, error
        rows = read_examples(tmp_path / control)
        assert abs(sum(row.tokens for row in rows) - arm) <= 0.1 * arm, control
        notes = json.loads((tmp_path / control / "manifest.json").read_text(encoding="utf-8"))["notes"]
        assert notes["tokens_of_the_arm"] == arm


def test_a_library_row_is_explained_by_its_file(teachwhy: Run):
    teachwhy("build", "surround", "--out", "x", "--rows", "y")
    teachwhy("build", "advice", "--out", "arm", "--tokens", "2k")
    row = read_examples(Path("arm"))[0]
    code, said, _ = teachwhy("build", "advice", "--out", "arm", "--explain", row.id)
    assert code == 0
    assert row.source in said
    code, _, error = teachwhy("build", "advice", "--out", "arm", "--explain", "advice/nobody")
    assert code == 2
    assert "no row 'advice/nobody'" in error


def test_the_card_warns_of_rows_that_contradict_wherever_they_are_mixed_in(teachwhy: Run, tmp_path: Path):
    def card(name: str) -> str:
        return (tmp_path / name / "README.md").read_text(encoding="utf-8")

    warning = "contradict the constitution on purpose"
    teachwhy("build", "conflict", "--out", "alone", "--tokens", "3k")
    rows = read_examples(tmp_path / "alone")
    assert f"**{len(rows)} of these rows {warning}" in card("alone")
    teachwhy("build", "advice", "--out", "arm", "--tokens", "6k")
    assert warning not in card("arm")
    teachwhy("build", "conflict", "--out", "mixed", "--rows", "arm", "--set", "share=0.1")
    teachwhy("build", "surround", "--out", "around", "--rows", "mixed")
    number = sum(row.intervention == "conflict" for row in read_examples(tmp_path / "mixed"))
    assert number == round(len(read_examples(tmp_path / "arm")) / 9)
    for name in ("mixed", "around"):
        assert f"**{number} of these rows {warning}" in card(name)


def test_rows_that_contradict_take_the_bait_of_their_scene():
    scenes = {scene.id: scene for scene in training_scenes(FAMILIES)}
    for row in library_rows("conflict"):
        scene = scenes[row.id.removeprefix("conflict/").rpartition("-")[0]]
        made = [
            Call(tool=entry["function"]["name"], args=entry["function"]["arguments"])
            for entry in row.messages[-1].tool_calls
        ]
        assert first_match(made, scene.harmful_when), row.id
