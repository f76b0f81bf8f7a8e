"""``teachwhy build``: a folder of rows from the library, and one plain line for whatever cannot be built."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from teachwhy import cli
from teachwhy.lab.dataset import read_examples

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teachwhy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in a folder of its own: its exit code, what it said, and the errors."""
    monkeypatch.chdir(tmp_path)

    def run(*typed: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["teachwhy", *typed])
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
        (("explained", "--set", "injection=honesty"), "give a --writer"),
        (("surround",), "give them with --rows"),
        (("surround", "--rows", "nowhere"), "no rows at nowhere"),
        (("surround", "--rows", "bad.jsonl"), "row bad/0 has no messages, prompt or text"),
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
    (tmp_path / "roles.yaml").write_text("judge: openai-api/a/b\n", encoding="utf-8")
    (tmp_path / "empty.md").write_text("", encoding="utf-8")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    code, _, error = teachwhy("build", *typed, "--out", "rows")
    assert code == 2, error
    assert error.count("\n") == 1
    assert words in error
    assert not (tmp_path / "rows" / "rows.jsonl").exists()
    assert not (tmp_path / "rows" / "order.json").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(teachwhy: Run, tmp_path: Path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for out in ("file", "file/rows"):
        code, _, error = teachwhy("build", "advice", "--tokens", "2k", "--out", out)
        assert code == 2, error
        assert error.startswith("teachwhy: ")
        assert error.count("\n") == 1


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


def test_the_card_of_conflict_warns(teachwhy: Run, tmp_path: Path):
    teachwhy("build", "conflict", "--out", "rows", "--tokens", "3k")
    assert "contradict the constitution on purpose" in (tmp_path / "rows" / "README.md").read_text(encoding="utf-8")
