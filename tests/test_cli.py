"""A mistake that a person can mend is one line on stderr and exit code 2, and costs nothing."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teachwhy import cli
from teachwhy.core.store import MANIFEST, folder_key
from tiny import finished_run, tiny_model, write_experiment

Say = Callable[..., str]


@pytest.fixture
def mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs the command line, which must refuse, in a line, and leave the folder as it is; returns that line."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> str:
        before = sorted(tmp_path.rglob("*")), folder_key(tmp_path)
        monkeypatch.setattr(sys, "argv", ["teachwhy", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert ended.value.code == 2
        assert said.err.startswith("teachwhy: ")
        assert said.err.count("\n") == 1
        assert "Traceback" not in said.out + said.err
        assert (sorted(tmp_path.rglob("*")), folder_key(tmp_path)) == before
        return said.err

    return run


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({"seed": "[0]"}, "unknown key 'seed'; did you mean 'seeds'?"),
        ({"recipe": "{learning_rat: 1.0}"}, "unknown key 'recipe.learning_rat'; did you mean 'learning_rate'?"),
        ({"control": "clonning"}, "control: unknown arm 'clonning'; did you mean 'cloning'?"),
        ({"held_out": "[blackmale]"}, "unknown family 'blackmale'; did you mean 'blackmail'?"),
        ({"families": "[framing]"}, "'framing' is held out, and no arm may train on it"),
        ({"start": "{model: smollm2-135m, organism: coverage}"}, "unknown organism 'coverage'"),
        ({"start": "{model: smolm2-135m}"}, "no model at 'smolm2-135m'"),
        ({"start": "{model: ./nowhere}"}, "no model at './nowhere'"),
        ({"start": "{model: TINY, organism: coverage_gap}"}, "coverage_gap is laid on 'smollm2-135m', not on"),
        ({"constitution": "missing.md"}, "no such file"),
        ({"recipe": "{batch: 4, least_steps: 50}"}, "fewer than least_steps 50"),
        ({"recipe": "{batch: 0}"}, "recipe.batch"),
        ({"seeds": "[]"}, "seeds"),
        ({"controls": "{filler: cloming}"}, "controls: filler: unknown arm 'cloming'; did you mean 'cloning'?"),
        ({"controls": "{filer: cloning}"}, "controls: unknown control 'filer'; did you mean 'filler'?"),
        ({"roles": "{writer: clever}"}, "'clever' is no model"),
        ({"roles": "{writer: nobody/clever}"}, "cannot open the writer"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(mistake: Say, tmp_path: Path, lines: dict[str, str], expected: str):
    lines = {key: line.replace("TINY", str(tiny_model())) for key, line in lines.items()}
    path = write_experiment(tmp_path, **lines)
    assert expected in mistake("run", path, "--out", "out")


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ("{clonning: 1500}", "unknown intervention 'clonning'; did you mean 'cloning'?"),
        ("{cloning: 5}", "a budget of 5 tokens holds no row of cloning"),
        ("{cloning: 1500, surround: most}", "arms.cloning.surround"),
        ("{stories: {tokens: 2k, options: {kind: sad}}}", "stories: unknown kind 'sad'; There is: aligned, health"),
        ("{stories: {tokens: 2k, without: [review]}}", "--without review needs a --writer"),
        ("{own: {tokens: 2k, rows: none.jsonl}}", "no rows at none.jsonl"),
    ],
)
def test_an_arm_that_cannot_be_built_is_refused(mistake: Say, tmp_path: Path, arm: str, expected: str):
    path = write_experiment(tmp_path)
    path.write_text(path.read_text().replace("{cloning: 1500}", arm))
    assert expected in mistake("run", path)


def test_a_constitution_without_clauses_is_refused(mistake: Say, tmp_path: Path):
    (tmp_path / "empty.md").write_text("Nothing but a word.\n")
    path = write_experiment(tmp_path, constitution="empty.md")
    assert "constitution 'empty.md': no clauses in it" in mistake("run", path)


@pytest.mark.parametrize("out", ["taken", "taken/out"])
def test_a_folder_that_cannot_be_written_to_is_refused(mistake: Say, tmp_path: Path, out: str):
    (tmp_path / "taken").write_text("a file in the way")
    assert f"cannot write to {out}: " in mistake("run", write_experiment(tmp_path), "--out", out)


def test_a_missing_file_is_refused(mistake: Say):
    assert "cannot read nowhere.yaml" in mistake("run", "nowhere.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "", "name: tiny\n"])
def test_a_file_of_another_shape_is_refused(mistake: Say, tmp_path: Path, text: str):
    (tmp_path / "other.yaml").write_text(text)
    assert "other.yaml" in mistake("run", "other.yaml")


def test_a_missing_extra_is_answered_with_the_line_that_installs_it(
    mistake: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec

    def blind(name: str, package: str | None = None) -> Any:
        return None if name == "trl" else find(name, package)

    path = write_experiment(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", blind)
    assert "pip install 'teachwhy[train]'" in mistake("run", path)


def test_an_unknown_organism_is_refused(mistake: Say):
    assert "unknown organism 'coverage_gab'; did you mean 'coverage_gap'?" in mistake(
        "organism", "build", "coverage_gab"
    )


@pytest.mark.parametrize("spoil", ["cut", "gone", "files"])
def test_a_damaged_stage_is_named_and_nothing_is_changed(mistake: Say, tmp_path: Path, spoil: str):
    out = Path(shutil.copytree(finished_run(), tmp_path / "out"))
    shutil.rmtree(out / "report")
    (stage,) = out.glob("stages/train-cloning-s0-*")
    if spoil == "cut":
        (stage / MANIFEST).write_text((stage / MANIFEST).read_text()[:40])
    elif spoil == "gone":
        (stage / MANIFEST).unlink()
    else:
        (stage / "model" / "model.safetensors").write_bytes(b"")
    assert f"remove {stage} and run again" in mistake("run", write_experiment(tmp_path), "--out", out, "--unfit")


def test_an_unfit_start_is_refused(mistake: Say, tmp_path: Path):
    out = Path(shutil.copytree(finished_run(), tmp_path / "out"))
    path = write_experiment(tmp_path)
    assert "Go on all the same with --unfit" in mistake("run", path, "--out", out)
