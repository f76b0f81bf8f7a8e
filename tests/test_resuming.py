"""A build that stops, whyever, goes on with the same command, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import refusal
from endpoint import Endpoint, scripted, serve
from orders import WRITER, answers_of, ask, constitution, made
from teachwhy import cli
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.core.store import read_lines
from teachwhy.interventions import INTERVENTIONS
from teachwhy.interventions.writers import Answer, Journal, Ledger, Prompt, Roles, SpentError, Writers, read_answers
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


def test_a_key_that_pays_is_written_nowhere_and_another_pays_for_nothing_again(endpoint: Endpoint, tmp_path: Path):
    request = ask("eval_description", endpoint, key="sk-very-secret")
    built, _ = made(request, tmp_path / "out")
    for file in (tmp_path / "out").iterdir():
        assert b"very-secret" not in file.read_bytes()
    asked = len(endpoint.asked)
    other = ask("eval_description", endpoint, key="sk-another", reuse=tmp_path / "out")
    again, ledger = made(other, tmp_path / "again")
    assert again.rows == built.rows
    assert (ledger.calls, len(endpoint.asked)) == (0, asked)


# The journal


def answer(key: str, *parents: str, text: str = "Yes.") -> Answer:
    return Answer(
        key=key, role="writer", model="a/b", prompt=f"advice/{key}", prompt_hash="h", parents=parents, text=text
    )


def test_what_a_journal_was_given_is_there_when_it_is_opened_again(tmp_path: Path):
    path = tmp_path / "deep" / "answers.jsonl"
    given = [answer("one"), answer("two", "one", text="A line\u2028 that some would break.\n\x85 \U0001f600")]
    journal = Journal(path)
    for one in given:
        journal.add(one)
    assert list(read_answers(path)[0].values()) == given, "each is on disk before the next is asked for"
    journal.close()
    again = Journal(path)
    assert list(again.answers.values()) == given
    again.close()


@pytest.mark.parametrize("torn", ['{"key": "thr', "{", answer("three").to_line()])
def test_a_line_that_was_cut_off_is_forgotten(tmp_path: Path, torn: str):
    path = tmp_path / "answers.jsonl"
    path.write_text(answer("one").to_line() + "\n" + torn)
    journal = Journal(path)
    journal.add(answer("two"))
    journal.close()
    assert list(read_answers(path)[0]) == ["one", "two"]


def test_a_whole_line_that_is_no_answer_is_named(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    path.write_text(answer("one").to_line() + '\n{"key": "two"}\n')
    assert f"{path}:2: not an answer" in refusal(ConfigError, lambda: Journal(path))


def test_ancestry_names_each_answer_once(tmp_path: Path):
    journal = Journal(tmp_path / "answers.jsonl")
    for one in (
        answer("root"),
        answer("left", "root"),
        answer("right", "root"),
        answer("row", "left", "right", "gone"),
    ):
        journal.add(one)
    assert [(depth, found.key) for depth, found in journal.ancestry("row")] == [
        (0, "row"),
        (1, "left"),
        (2, "root"),
        (1, "right"),
    ]
    journal.close()


# Limits


LEVELS = st.integers(0, 3000)
CALLS = st.lists(st.tuples(st.integers(1, 900), st.floats(0, 1), st.integers(0, 3)), max_size=12)
"""The most a call may take, the share of it that it does take, and the turns of the loop until it is answered."""


@given(LEVELS, LEVELS, CALLS)
def test_no_order_of_calls_passes_a_limit(tokens: int, cents: int, calls: list[tuple[int, float, int]]):
    ledger = Ledger(most_tokens=tokens, most_dollars=cents / 100)

    async def call(most: int, share: float, turns: int) -> bool:
        try:
            async with ledger.promise(most, most / 100):
                for _ in range(turns):
                    await asyncio.sleep(0)
                taken = int(most * share)
                ledger.record(taken, 0, taken / 100)
        except SpentError:
            assert ledger.reads + most > tokens or ledger.cost + most / 100 > cents / 100
            return False
        return True

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(call(*one) for one in calls))

    answered = asyncio.run(all_of_them())
    assert ledger.reads <= tokens
    assert ledger.cost <= cents / 100 + 1e-9
    assert ledger.calls == sum(answered)
    if sum(most for most, _, _ in calls) <= min(tokens, cents):
        assert all(answered)


PROMPT = Prompt(name="tests/ask", role="writer", max_tokens=300, reads=20, writes=200, user="Say something of {topic}.")
PRICED = Roles.model_validate(
    {"writer": {"model": "teachwhy-scripted/form-filler", "price": {"input": 100, "output": 500}}}
)


@settings(max_examples=20)
@given(st.integers(0, 3000), st.integers(0, 150), st.integers(1, 8))
def test_a_limit_holds_over_tries_and_nothing_is_asked_twice(tokens: int, cents: int, topics: int):
    async def ask_all(folder: Path, ledger: Ledger) -> int:
        journal = Journal(folder / "answers.jsonl")
        writers = Writers(PRICED, journal, ledger, connections=3)
        # every topic by two at once
        asked = [writers.ask(PROMPT, {"topic": f"number {number // 2}"}) for number in range(2 * topics)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        await writers.close()
        journal.close()
        assert {type(one) for one in found} <= {Answer, SpentError}
        return len({one.key for one in found if isinstance(one, Answer)})

    with tempfile.TemporaryDirectory() as name:
        for _ in range(2):  # what the first try spent, the second knows
            ledger = Ledger(most_tokens=tokens, most_dollars=cents / 100)
            known = asyncio.run(ask_all(Path(name), ledger))
            assert ledger.reads + ledger.writes <= tokens
            assert ledger.cost <= cents / 100
            assert ledger.calls == known
        free = Ledger()
        assert asyncio.run(ask_all(Path(name), free)) == topics
        kept = read_answers(Path(name) / "answers.jsonl")[0]
        assert len((Path(name) / "answers.jsonl").read_text().splitlines()) == len(kept) == free.calls == topics
