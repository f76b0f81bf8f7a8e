"""A whole experiment on the tiny model: what it leaves, that it is done once, and that being killed changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Verdict
from teachwhy.core.store import MANIFEST, read_lines
from teachwhy.lab import measure, run
from teachwhy.lab.run import run_experiment
from teachwhy.training import sft
from tiny import finished_run, write_experiment

pytestmark = pytest.mark.timeout(900)

PAGES = ("index.html", "report.json", "report.md")


def report(root: Path) -> dict[str, bytes]:
    return {name: (root / "report" / name).read_bytes() for name in PAGES}


def go(folder: Path, out: Path, *, unfit: bool = True) -> Path:
    return run_experiment(write_experiment(folder), out, Console(quiet=True), unfit=unfit)


def refuse_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("work that was done already is done again")

    monkeypatch.setattr(sft, "train", refuse)
    monkeypatch.setattr(measure, "inspect_eval", refuse)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A finished run that a test may spoil."""
    return Path(shutil.copytree(finished_run(), tmp_path / "copy"))


def test_a_run_leaves_its_stages_and_its_report():
    root = finished_run()
    done = {path.parent.name.rpartition("-")[0] for path in root.glob(f"stages/*/{MANIFEST}")}
    arms = {f"{step}-{arm}-s0" for step in ("train", "measure") for arm in ("replay", "cloning")}
    assert done == {"measure-start", "build-replay", "build-cloning", *arms}
    assert all(report(root).values())
    assert not list(root.glob("stages/.*"))


def test_every_scene_is_read_on_every_side():
    (stage,) = finished_run().glob("stages/measure-cloning-s0-*")
    verdicts = read_lines(stage / "verdicts.jsonl", Verdict)
    sides = {(v.instrument, v.side, v.dimension) for v in verdicts}
    assert sides == {
        *(("decision", side, name) for side in ("scene", "twin") for name in ("harmful", "attempted", "aware")),
        ("decision", "twin", "done"),
        *(("likelihood", side, "harmful") for side in ("scene", "twin", "chat")),
    }
    scenes = {v.scenario for v in verdicts}
    assert len(verdicts) == len(scenes) * len(sides)
    assert all(v.value is not None for v in verdicts if v.instrument == "likelihood")


def test_a_run_that_is_done_does_nothing_and_reports_the_same(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = report(copy)
    shutil.rmtree(copy / "report")
    refuse_work(monkeypatch)
    go(tmp_path, copy)
    assert report(copy) == before


def test_an_unfit_start_stops_the_run_before_anything_is_trained(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    refuse_work(monkeypatch)
    for stage in copy.glob("stages/train-*"):
        shutil.rmtree(stage)
    said = refusal(run.UnfitError, lambda: go(tmp_path, copy, unfit=False))
    assert "the start model is unfit" in said
    assert "--unfit" in said
    assert not list(copy.glob("stages/train-*"))


def test_a_killed_run_ends_with_the_report_of_an_undisturbed_one(tmp_path: Path):
    """Killed where there is nothing left to tidy up; while it lives, a second run is refused."""
    out = tmp_path / "out"
    teachwhy = Path(sys.executable).with_name("teachwhy")
    command = [str(teachwhy), "run", str(write_experiment(tmp_path)), "--out", str(out), "--unfit"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: list(out.glob(f"stages/measure-start-*/{MANIFEST}")), process)
        assert "in use by another run" in refusal(ConfigError, lambda: go(tmp_path, out))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert not (out / "report").exists(), "it was killed too late to tell anything"
    go(tmp_path, out)
    assert report(out) == report(finished_run())


def wait_for(there: Any, process: subprocess.Popen[bytes]) -> None:
    for _ in range(2400):
        if there():
            return
        assert process.poll() is None, (process.stderr.read() if process.stderr else b"").decode()
        time.sleep(0.1)
    raise AssertionError("the run came to nothing")
