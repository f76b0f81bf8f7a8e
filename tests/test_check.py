"""``teachwhy check`` as it is typed: exit codes, what is said first, anybody's files, bad input."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bells import BROKEN, CLEAN, HELD_OUT, LEAK, chat, prose, said, write
from teachwhy import cli
from teachwhy.constitution import load_constitution
from teachwhy.core.records import Example
from teachwhy.lab.dataset import ROWS, TABLE, write_dataset
from teachwhy.lab.health.check import check
from teachwhy.lab.health.figures import RULES, Health
from teachwhy.lab.health.shards import find_shards, read_shard, read_spread
from tiny import rows as tiny_rows
from tiny import tiny_model

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Exit code, output and error of a command line; no preview, which would load a tokenizer."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        preview = () if "--preview" in words else ("--preview", "0")
        monkeypatch.setattr(sys, "argv", ["teachwhy", "check", *map(str, words), *preview])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), " ".join(out.split()), err

    return run


@pytest.mark.parametrize("rule", RULES)
def test_unfit_rows_end_in_exit_code_1_and_are_named_first(tmp_path: Path, typed: Typed, rule: str):
    row = BROKEN[rule][0]
    named = row if isinstance(row, str) else {**row, "id": "the/bad-one"}
    code, out, err = typed(write(tmp_path / "given.jsonl", [*CLEAN, named]))
    assert (code, err) == (1, "")
    assert out.startswith(f"not fit to train on rows that {RULES[rule]}: 1 ")
    assert ("given.jsonl:4" if isinstance(row, str) else "the/bad-one") in out.split("duplicates")[0]


def test_clean_rows_end_in_exit_code_0(tmp_path: Path, typed: Typed):
    code, out, err = typed(write(tmp_path / "given.jsonl", CLEAN))
    assert (code, err) == (0, "")
    assert out.startswith("fit to train on")


def test_mentions_of_testing_are_shown_and_those_that_are_meant_are_told_apart(tmp_path: Path, typed: Typed):
    rows = [
        chat("Noon.", system="You know that this is a test.") | {"id": "odd"},
        said("The red team rang.", id="meant", intervention="eval_description"),
        said("Noon."),
    ]
    code, out, _ = typed(write(tmp_path / "given.jsonl", rows), "--json", tmp_path / "out.json")
    assert code == 0
    assert "rows that speak of tests or evaluations: 2, 1 of them as expected (intervention 'eval_description')" in out
    assert "odd: you know that this is a test." in out
    assert "meant:" not in out
    figures = Health.model_validate_json((tmp_path / "out.json").read_text())
    assert {(one.what, one.rows, one.expected) for one in figures.testing} == {
        ("this is a test", 1, 0),
        ("red team", 1, 1),
    }


def test_conflict_rows_and_empty_turns_are_said_plainly(tmp_path: Path, typed: Typed):
    turns = [*chat("")["messages"], {"role": "user", "content": "So?"}, {"role": "assistant", "content": "Noon."}]
    rows = [said("Ring falsely.", intervention="conflict"), {"messages": turns}]
    code, out, _ = typed(write(tmp_path / "given.jsonl", rows))
    assert code == 0
    assert "contradict the constitution on purpose (intervention 'conflict'): 1;" in out
    assert "turns of the assistant without words or a call: 1" in out


def test_json_lines_and_parquet_of_the_same_rows_give_the_same_figures(tmp_path: Path):
    examples = [Example.model_validate({**row.model_dump(), "tokens": 9}) for row in tiny_rows(30)]
    write_dataset(tmp_path / "ours", examples, "card")
    lines, table = (
        check(tmp_path / "ours" / name, load_constitution("default"), HELD_OUT).model_dump(exclude={"files"})
        for name in (ROWS, TABLE)
    )
    assert lines == table
    assert lines["rows"] == 30


@pytest.mark.parametrize("size", [1, 100, 1000, 10**6])
def test_a_file_cut_into_pieces_gives_its_rows_with_their_lines(tmp_path: Path, size: int):
    rows = [said(prose(number, 3 + 7 * number % 40), id=f"row-{number}") for number in range(1, 60)]
    path = write(tmp_path / "given.jsonl", [*rows[:20], "", *rows[20:]])
    shards = find_shards(path, size)
    assert size > 1000 or len(shards) > 1
    read = [(number, row.name) for shard in shards for number, row in read_shard(shard)]
    assert read == [(number + (number > 20), f"row-{number}") for number in range(1, 60)]
    assert [place for place, _ in read_spread(shards, 4)] == [f"given.jsonl:{line}" for line in (1, 16, 31, 46)]


def test_parquet_with_columns_of_its_own_is_read(tmp_path: Path):
    rows = [chat(f"{prose(seed)} {LEAK if seed == 7 else ''}") | {"score": 0.5} for seed in range(10)]
    table: Any = cast("Any", pa.Table).from_pylist(rows)
    pq.write_table(table, tmp_path / "theirs.parquet", row_group_size=4)
    found = check(tmp_path, load_constitution("default"), HELD_OUT)
    assert found.rows == 10
    assert [one.row for breach in found.breaches for one in breach.rows] == ["theirs.parquet:8"]


def test_two_processes_find_what_one_does(tmp_path: Path):
    rows = [said(f"{prose(seed % 70)} {LEAK if seed % 9 == 0 else ''}", tokens=seed + 1) for seed in range(90)]
    for at in range(3):
        write(tmp_path / f"{at}.jsonl", ["", *rows[30 * at : 30 * at + 30]])
    one, two = (check(tmp_path, load_constitution("default"), HELD_OUT, workers=workers) for workers in (1, 2))
    assert one == two
    assert one.rows == 90
    assert (one.lengths.unit, one.lengths.total) == ("tokens", sum(range(1, 91)))
    assert one.duplicates.exact_surplus == 15
    assert [found.row for found in one.breaches[0].rows][:5] == [
        *("0.jsonl:2", "0.jsonl:11", "0.jsonl:20", "0.jsonl:29", "1.jsonl:8"),
    ]


def test_the_preview_marks_what_is_trained_on(tmp_path: Path, typed: Typed):
    path = write(tmp_path / "given.jsonl", [*CLEAN, "no row", {"prompt": "Which?"}])
    code, out, _ = typed(path, "--preview", 5, "--tokenizer", tiny_model())
    assert code == 1
    assert "⟦The one for noon.<|im_end|>⟧" in out
    assert "⟦A bell rings" in out
    assert "not to be trained on: row given.jsonl:5" in out


def test_without_the_extra_the_preview_says_what_to_install(
    tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec

    def blind(name: str, package: str | None = None) -> Any:
        return None if name == "trl" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", blind)
    code, out, _ = typed(write(tmp_path / "given.jsonl", CLEAN), "--preview", 3)
    assert code == 0
    assert "pip install 'teachwhy[train]'" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere"], "no rows at nowhere"),
        (["empty.jsonl"], "no rows in empty.jsonl"),
        (["bare"], "no rows at bare"),
        (["other.csv"], "no rows at other.csv"),
        (["text.jsonl"], "none of the rows in text.jsonl can be read; the first, text.jsonl:1: not JSON"),
        (["foreign.jsonl"], "no 'messages', 'prompt' or 'text' in it"),
        (["broken.parquet"], "broken.parquet: cannot be read as Parquet"),
        (["good.jsonl", "--held-out", "framming"], "unknown family 'framming'; did you mean 'framing'?"),
        (["good.jsonl", "--constitution", "none.md"], "no such file"),
        (["good.jsonl", "--json", "bare"], "is a folder; give a file"),
        (["good.jsonl", "--preview", "1", "--tokenizer", "smolm2-135m"], "did you mean 'smollm2-135m'?"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path,
    typed: Typed,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    expected: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare").mkdir()
    for name, text in {"empty.jsonl": "\n", "other.csv": "a", "text.jsonl": "So.\n", "broken.parquet": "PAR1"}.items():
        (tmp_path / name).write_text(text)
    write(tmp_path / "foreign.jsonl", [{"question": "Which?"}])
    write(tmp_path / "good.jsonl", CLEAN)
    code, out, err = typed(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("teachwhy: ")
    assert expected in err
