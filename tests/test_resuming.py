"""A build that stops, whyever, goes on with the same command, and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from endpoint import Endpoint, scripted, serve
from orders import WRITER, answers_of, ask, constitution, made
from teachwhy import cli
from teachwhy.core.records import Example
from teachwhy.core.store import read_lines
from teachwhy.interventions import INTERVENTIONS
from teachwhy.lab.build import ANSWERS
from tiny import scratch_folder, tiny_model

CONNECTIONS = 4


@dataclass(frozen=True)
class Ended:
    code: object
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def teachwhy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process."""

    def run(*words: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["teachwhy", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Ended(ended.value.code, said.out, said.err)

    return run


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with serve(scripted(delay=0.03)) as found:
        monkeypatch.setenv("LOCAL_API_KEY", "none")
        monkeypatch.setenv("LOCAL_BASE_URL", found.url)
        yield found


def command(out: Path, *more: str | Path, writer: str = WRITER) -> list[str]:
    constitution()
    words = ["build", "advice", "--out", out, "--constitution", scratch_folder() / "three.md", "--tokens", "3k"]
    words += ["--tokenizer", tiny_model(), "--connections", str(CONNECTIONS), *more]
    return [*map(str, words), *([] if "--roles" in words else ["--writer", writer])]


def rows_of(folder: Path) -> list[Example]:
    return read_lines(folder / "examples.jsonl", Example)


def test_a_killed_build_goes_on_and_repeats_only_what_was_in_flight(endpoint: Endpoint, tmp_path: Path, teachwhy: Run):
    words = command(tmp_path / "killed")
    python = [sys.executable, "-c", "from teachwhy.cli import main; main()"]
    running = subprocess.Popen([*python, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(endpoint.asked) < 40:
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    time.sleep(0.3)  # what had been sent arrives
    lost = len(endpoint.asked) - len(answers_of(tmp_path / "killed"))
    assert not (tmp_path / "killed" / "manifest.json").exists()
    with (tmp_path / "killed" / ANSWERS).open("a") as file:
        file.write('{"key": "cut off by the cra')

    assert teachwhy(*words).code == 0
    assert 0 < lost <= CONNECTIONS
    assert endpoint.repeated() == lost
    assert len(answers_of(tmp_path / "killed")) == len(set(endpoint.keys()))

    assert teachwhy(*command(tmp_path / "whole")).code == 0
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")
    before = len(endpoint.asked)
    assert "nothing to do" in teachwhy(*words).out
    assert len(endpoint.asked) == before


@pytest.mark.parametrize(
    ("limit", "little", "enough"), [("--max-tokens", "9000", "900000"), ("--max-dollars", "0.06", "60")]
)
def test_a_limit_stops_a_build_and_a_higher_one_goes_on(
    endpoint: Endpoint, tmp_path: Path, teachwhy: Run, limit: str, little: str, enough: str
):
    roles = tmp_path / "roles.yaml"
    roles.write_text(f"writer: {{model: {WRITER}, price: {{input: 3, output: 15}}}}\n")
    stopped = teachwhy(*command(tmp_path / "out", "--roles", roles, limit, little))
    assert stopped.code == 2
    assert stopped.err.startswith("teachwhy: the next call could pass the limit of ")
    assert f"raise {limit} to go on from here" in stopped.err
    answers = answers_of(tmp_path / "out").values()
    assert len(answers) == len(endpoint.asked) > 0
    assert sum(answer.reads + answer.writes for answer in answers) <= 9000 or limit == "--max-dollars"
    assert sum(answer.cost for answer in answers) <= 0.06 or limit == "--max-tokens"
    assert not (tmp_path / "out" / "manifest.json").exists()

    assert teachwhy(*command(tmp_path / "out", "--roles", roles, limit, enough)).code == 0
    assert endpoint.repeated() == 0
    assert sum(row.cost for row in rows_of(tmp_path / "out")) > 0


@pytest.mark.parametrize(
    ("more", "writer", "expected"),
    [
        (["--max-dollars", "5"], WRITER, f"a limit in dollars needs the price of {WRITER}"),
        ([], "openrouter/maker/model", "openrouter/maker/model could be served by any provider; pin one"),
        ([], "openai-api/local", "cannot open the writer 'openai-api/local'"),
        ([], "scripted", "'scripted' is no model; write provider/model"),
        (["--without", "drafts"], WRITER, "advice has no stage 'drafts' to leave out; did you mean 'draft'?"),
        (["--reuse", "nowhere"], WRITER, "no answers in nowhere"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written_or_asked(
    endpoint: Endpoint, tmp_path: Path, teachwhy: Run, more: list[str], writer: str, expected: str
):
    refused = teachwhy(*command(tmp_path / "out", *more, writer=writer))
    assert refused.code == 2
    assert expected in refused.err
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert not endpoint.asked


def test_a_dry_run_estimates_every_stage_and_spends_nothing(endpoint: Endpoint, tmp_path: Path, teachwhy: Run):
    said = teachwhy(*command(tmp_path / "out", "--dry-run", "--tokens", "100k"))
    assert said.code == 0
    lines = {line.split()[0]: line.split()[-4:-1] for line in said.out.splitlines() if line.strip()}
    for prompt in INTERVENTIONS["advice"].prompts:
        assert all(number.isdigit() for number in lines[prompt])
    assert "in all" in said.out
    assert not (tmp_path / "out").exists()
    assert not endpoint.asked


def test_a_row_can_be_followed_back_through_every_stage(endpoint: Endpoint, tmp_path: Path, teachwhy: Run):
    built, _ = made(ask("advice", endpoint), tmp_path / "out")
    before = (tmp_path / "out" / ANSWERS).read_bytes()
    row = built.rows[-1]
    said = teachwhy("build", "advice", "--out", tmp_path / "out", "--explain", row.id)
    assert said.code == 0
    places = [said.out.index(f"advice/{name} by") for name in INTERVENTIONS["advice"].prompts if name != "injection"]
    assert len(places) == 7
    order = sorted(zip(places, INTERVENTIONS["advice"].prompts, strict=True))
    assert [name for _, name in order] == [
        "response_rewrite",
        "answer",
        "prompt_rewrite",
        "trial",
        "draft",
        "scenes",
        "principles",
    ]
    assert "clauses: " + row.clauses[0] in said.out
    assert (tmp_path / "out" / ANSWERS).read_bytes() == before
    missing = teachwhy("build", "advice", "--out", tmp_path / "out", "--explain", row.id + "0")
    assert missing.code == 2
    assert f"did you mean '{row.id}'?" in missing.err or "rows are listed in rows.jsonl" in missing.err


def test_a_key_that_pays_is_written_nowhere(endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOCAL_API_KEY", "sk-very-secret")
    made(ask("eval_description", endpoint), tmp_path / "out")
    for file in (tmp_path / "out").iterdir():
        assert b"very-secret" not in file.read_bytes()
    assert json.loads((tmp_path / "out" / "order.json").read_text())["writer"]["writer"] == WRITER
