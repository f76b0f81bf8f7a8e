"""The example that newcomers read first does what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tiny import tiny_model

FILE = Path(__file__).parents[1] / "examples" / "one_file.py"


def load() -> Any:
    spec = importlib.util.spec_from_file_location("one_file", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_walk_ends_with_paired_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    settings = ["--scenes", "1", "--tokens", "2500", "--epochs", "1", "--out", str(tmp_path)]
    load().main(["--model", str(tiny_model()), *settings])
    said = capsys.readouterr().out
    assert "4 scenes of leaking, falsified_records, framing, blackmail" in said
    for title in ("trained on", "held out"):
        for name in ("before", "after", "change"):
            assert sum(title in line and name in line for line in said.splitlines()) == 2
    assert "over 2 scenes" in said
    for made in ("arm/model/model.safetensors", "before/verdicts.jsonl", "after/transcripts.jsonl"):
        assert (tmp_path / made).exists()


def test_it_stays_readable_in_one_sitting():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 160
