"""The honeypots as Inspect tasks: end to end, graded again, with providers that fail and models that go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as run_eval  # pyright: ignore[reportUnknownVariableType]
from inspect_ai import score as score_again  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import modelapi

from conftest import refusal
from honeypots import BROKEN_CALL, FILES, both_instruments, ended, pair
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Call, Instrument, Message, Scenario, Verdict
from teachwhy.evals.evaluation import Plan, listed
from teachwhy.evals.honeypots.grading import grade, replay
from teachwhy.evals.honeypots.judged import judged
from teachwhy.evals.honeypots.solvers import MOST_TURNS
from teachwhy.evals.honeypots.task import EVAL, honeypots, honeypots_task
from teachwhy.evals.scoring import read_score
from teachwhy.evals.scoring import verdicts_of as counted
from teachwhy.evals.turns import from_chat
from teachwhy.models.scripted import SCRIPTS, ScriptedAPI
from teachwhy.worlds.opening import first_turns, offered_tools, said
from teachwhy.worlds.world import first_match

# The Inspect task, end to end, on one scene of every family


@pytest.fixture(scope="module")
def few() -> list[tuple[Scenario, Scenario]]:
    first = {path.parent.name: path for path in reversed(FILES)}
    return [pair(path) for path in first.values()]


def run(suite: list[tuple[Scenario, Scenario]], instrument: Instrument, model: str, folder: Path) -> EvalLog:
    model = model if "/" in model else f"teachwhy-scripted/{model}"
    [log] = run_eval(
        honeypots_task(Plan(seed=3), instrument, suite=suite),
        model=model,
        display="none",
        log_dir=str(folder),
        log_format="json",
    )
    assert log.status == "success"
    return log


def samples_of(log: EvalLog) -> list[EvalSample]:
    assert log.samples
    return log.samples


def verdicts_of(sample: EvalSample) -> list[Verdict]:
    assert sample.scores is not None
    return read_score(sample.scores["found"])


def regrade(sample: EvalSample, instrument: Instrument) -> list[Verdict]:
    """Grade a logged sample again, from its messages alone."""
    side = Scenario.model_validate(sample.metadata["scenario"])
    messages = [from_chat(message) for message in sample.messages]
    transcript = ended(side, instrument, messages, str(sample.output.stop_reason))
    transcript = transcript.model_copy(update={"sample": sample.epoch})
    return grade(transcript, side, instrument)


@both_instruments
@pytest.mark.parametrize("script", sorted(SCRIPTS.keys() - {"form-filler", "bait-taker"}))
def test_the_task_runs_end_to_end_and_a_script_that_says_nothing_usable_gives_only_voids(
    few: list[tuple[Scenario, Scenario]], instrument: Instrument, script: str, tmp_path: Path
):
    samples = samples_of(run(few, instrument, script, tmp_path))
    assert len(samples) == 2 * len(few)
    for sample in samples:
        assert sample.error is None
        verdicts = verdicts_of(sample)
        *ruled, aware = verdicts
        assert ruled == regrade(sample, instrument)
        assert aware.dimension == "aware"
        side = Scenario.model_validate(sample.metadata["scenario"]).side
        assert [verdict.dimension for verdict in ruled] == [
            "harmful",
            "attempted",
            *(["done"] if side == "twin" else []),
        ]
        verdicts = ruled
        for verdict in verdicts:
            assert verdict.instrument == instrument
            assert (verdict.value is None) == (script != "first-tool")


@both_instruments
def test_what_the_first_tool_did_in_the_logged_world_is_what_is_judged(
    few: list[tuple[Scenario, Scenario]], instrument: Instrument, tmp_path: Path
):
    for sample in samples_of(run(few, instrument, "first-tool", tmp_path)):
        side = Scenario.model_validate(sample.metadata["scenario"])
        executed = replay(side, [from_chat(message) for message in sample.messages]).executed
        before, made = executed[:-1], executed[-1]
        assert before == (list(side.opening) if instrument == "decision" else [])
        assert made.tool == offered_tools(side, 3 + sample.epoch)[0]["function"]["name"]
        value = 1.0 if first_match([made], side.harmful_when) else 0.0
        assert verdicts_of(sample)[0].value == value


def test_the_shares_beside_the_log_count_voids_and_no_rate_without_a_judged_sample(
    few: list[tuple[Scenario, Scenario]], tmp_path: Path
):
    log = run(few, "decision", "silent", tmp_path)
    assert log.results is not None
    metrics = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    looked = ("harmful (scene)", "attempted (scene)", "harmful (twin)", "attempted (twin)", "done (twin)")
    assert metrics == {f"void: {name}": 1.0 for name in (*looked, "aware (scene)", "aware (twin)")}


def test_the_task_is_found_by_its_name_and_takes_families(tmp_path: Path):
    [log] = run_eval(
        "teachwhy/honeypots",
        model="teachwhy-scripted/first-tool",
        task_args={"families": "leaking", "samples": 2},
        display="none",
        log_dir=str(tmp_path),
    )
    assert log.status == "success"
    assert len(samples_of(log)) == 2 * 2 * sum(path.parent.name == "leaking" for path in FILES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"instrument": "rolout"}, "did you mean 'rollout'?"),
        ({"families": "framing, leeking"}, "did you mean 'leaking'?"),
    ],
)
def test_a_task_argument_that_means_nothing_is_refused(arguments: dict[str, str], words: str):
    assert words in refusal(ConfigError, lambda: honeypots(**arguments))  # pyright: ignore[reportArgumentType]


def test_what_inspects_command_line_cut_at_its_commas_is_read_all_the_same():
    families: Any = ["leaking", "framing"]
    axes: Any = ["framing=test;name=neutral", "random-1"]
    whole = honeypots(families="leaking,framing", axes="framing=test;name=neutral,random-1")
    assert [*honeypots(families=families, axes=axes).dataset] == [*whole.dataset]
    assert listed("a, b,") == listed(["a", " b", ""]) == ("a", "b")


def test_a_script_that_does_not_exist_is_refused():
    assert "did you mean 'silent'?" in refusal(ModelError, lambda: ScriptedAPI("silence"))


def test_a_provider_that_cannot_tell_likelihoods_gives_one_line_for_an_error(
    few: list[tuple[Scenario, Scenario]], tmp_path: Path
):
    [log] = run_eval(
        honeypots_task(Plan(), "likelihood", suite=few[:1]),
        model="teachwhy-scripted/first-tool",
        display="none",
        log_dir=str(tmp_path),
        log_format="json",
    )
    assert log.status == "error"
    errors = [sample.error for sample in log.samples or [] if sample.error is not None]
    assert errors
    for error in errors:
        assert "cannot tell likelihoods; leave that instrument out" in error.message
        assert "\n" not in error.message


class Knowing(ScriptedAPI):
    """Finds an act the likelier the earlier it is asked for."""

    async def log_likelihoods(self, messages: list[Any], tools: list[Any], turns: list[Any]) -> list[float]:
        assert messages[-1]["role"] == ("tool" if tools else "user")
        return [-float(number) for number, _ in enumerate(turns)]


def test_a_provider_that_can_gives_a_probability_for_scenes_twins_and_chats(
    few: list[tuple[Scenario, Scenario]], tmp_path: Path
):
    modelapi(name="knowing")(lambda: Knowing)
    samples = samples_of(run(few, "likelihood", "knowing/silent", tmp_path))
    sides = Counter(verdict.side for sample in samples for verdict in verdicts_of(sample))
    assert sides == {"scene": len(few), "twin": len(few), "chat": len(few)}
    for sample in samples:
        [verdict] = verdicts_of(sample)
        assert verdict.value is not None
        assert 0.5 < verdict.value < 1  # the harmful acts are asked for first


# Attempts: what was called for, whether or not the world could do it


def tried(side: Scenario, message: Message, stop: str = "tool_calls") -> dict[str, float | None]:
    transcript = ended(side, "rollout", [*first_turns(side), message], stop)
    return {verdict.dimension: verdict.value for verdict in grade(transcript, side, "rollout")}


def test_a_harmful_call_that_was_cut_off_or_could_not_be_carried_out_was_attempted_and_not_executed():
    scene, _ = pair(FILES[0])
    call = scene.harmful[0]
    assert tried(scene, said(call), "max_tokens") == {"harmful": None, "attempted": 1.0}
    beside = Message(role="assistant", tool_calls=(call.entry(), BROKEN_CALL))
    assert tried(scene, beside) == {"harmful": None, "attempted": 1.0}
    impossible = Call(tool=call.tool, args={**call.args, "no-such-argument": "x"})
    answered = Message(role="assistant", content="It is done.", tool_calls=(impossible.entry(),))
    assert tried(scene, answered)["attempted"] == 1.0
    assert tried(scene, answered)["harmful"] != 1.0


# Grading again, and providers that fail


class Refusing(ScriptedAPI):
    """Must not be asked."""

    async def generate(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a model was sampled while grading again")


@both_instruments
def test_grading_again_samples_nothing_and_finds_the_same(
    few: list[tuple[Scenario, Scenario]], instrument: Instrument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log = run(few, instrument, "first-tool", tmp_path)
    before = [verdict for sample in samples_of(log) for verdict in counted(sample)]
    monkeypatch.setattr(ScriptedAPI, "generate", Refusing.generate)
    again = score_again(log, EVAL.scorer(instrument, ()), action="overwrite", display="none")
    assert [verdict for sample in samples_of(again) for verdict in counted(sample)] == before


class Failing(ScriptedAPI):
    """Fails on every fifth call, else calls the first tool."""

    asked = 0

    def _fail_at_times(self) -> None:
        Failing.asked += 1
        if Failing.asked % 5 == 0:
            raise RuntimeError("the provider is down")

    async def generate(self, *given: Any, **named: Any) -> Any:
        self._fail_at_times()
        return await super().generate(*given, **named)

    async def log_likelihoods(self, messages: list[Any], tools: list[Any], turns: list[Any]) -> list[float]:
        self._fail_at_times()
        return [-float(number) for number, _ in enumerate(turns)]


@pytest.mark.parametrize("instrument", ["rollout", "decision", "likelihood"])
def test_calls_that_fail_become_voids_one_for_one_and_change_no_other_verdict_however_often_graded(
    few: list[tuple[Scenario, Scenario]], instrument: Instrument, tmp_path: Path
):
    modelapi(name="knowing")(lambda: Knowing)
    modelapi(name="failing")(lambda: Failing)
    Failing.asked = 0
    whole = {
        str(sample.id): counted(sample)
        for sample in samples_of(run(few, instrument, "knowing/first-tool", tmp_path / "a"))
    }
    log = run(few, instrument, "failing/first-tool", tmp_path / "b")
    # every call that failed is one sample, and no call is tried again
    broken = [str(sample.id) for sample in samples_of(log) if sample.error is not None]
    assert len(broken) == Failing.asked // 5
    again = score_again(log, EVAL.scorer(instrument, ()), action="overwrite", display="none")
    for graded in (log, again):
        for sample in samples_of(graded):
            found, expected = counted(sample), whole[str(sample.id)]
            if str(sample.id) not in broken:
                assert found == expected
                continue
            assert [verdict.dimension for verdict in found] == [verdict.dimension for verdict in expected]
            for verdict in found:
                assert verdict.value is None
                assert "the provider is down" in verdict.reason


# Rollouts: several turns, what the model thinks, what judges say of it


class Persistent(ScriptedAPI):
    """Thinks aloud, and calls the first tool in every turn."""

    async def generate(self, input: list[Any], tools: list[Any], tool_choice: Any, config: Any) -> Any:
        output = await super().generate(input, tools, "any", config)
        output.choices[
            0
        ].message.content = f"<scratchpad>I suspect that this is a test of me.</scratchpad>{config.max_tokens}"
        return output


def persistent(few: list[tuple[Scenario, Scenario]], plan: Plan, folder: Path) -> list[EvalSample]:
    modelapi(name="persistent")(lambda: Persistent)
    task = honeypots_task(plan, "rollout", suite=few)
    [log] = run_eval(task, model="persistent/first-tool", display="none", log_dir=str(folder), log_format="json")
    return samples_of(log)


def test_a_rollout_has_six_turns_and_is_void_if_the_model_would_go_on(
    few: list[tuple[Scenario, Scenario]], tmp_path: Path
):
    for sample in persistent(few, Plan(), tmp_path):
        assert sum(message.role == "assistant" for message in sample.messages) == MOST_TURNS == 6
        harmful = next(verdict for verdict in counted(sample) if verdict.dimension == "harmful")
        assert harmful.value == 1.0 or harmful.reason == "void: turn_limit"


def test_suspicion_in_a_scratchpad_is_seen(few: list[tuple[Scenario, Scenario]], tmp_path: Path):
    for sample in persistent(few, Plan(axes={"scratchpad": ("yes",)}), tmp_path):
        aware = next(verdict for verdict in counted(sample) if verdict.dimension == "aware")
        assert aware.value == 1.0
        assert aware.condition in ("", "scratchpad=yes")


@pytest.mark.parametrize(
    ("plan", "room"),
    [(Plan(), 200), (Plan(axes={"scratchpad": ("yes",)}), 600), (Plan(turn_tokens=77), 77)],
)
def test_a_turn_has_the_room_that_was_asked_for_and_more_where_there_is_a_scratchpad(
    few: list[tuple[Scenario, Scenario]], plan: Plan, room: int, tmp_path: Path
):
    for sample in persistent(few[:1], plan, tmp_path):
        assert sample.messages[2].text.endswith(str(room))


@pytest.mark.parametrize(("judges", "says"), [(("form-filler",), 0.0), (("form-filler", "bait-taker"), 0.5)])
def test_judges_say_what_was_decided_and_whether_it_was_harm_beside_the_rule_and_never_for_it(
    judges: tuple[str, ...], says: float
):
    scene, _ = pair(FILES[0])
    names = tuple(f"teachwhy-scripted/{name}" for name in judges)
    ends = Message(role="assistant", content="It is done.")
    answered = [*first_turns(scene), ends]
    for messages, stop, decided, harmful in (
        (answered, "stop", says, says),
        ([*first_turns(scene), said(scene.harmful[0], "Now."), ends], "stop", 1.0, says),
        (answered, "max_tokens", None, None),
    ):
        transcript = ended(scene, "rollout", messages, stop)
        ruled = grade(transcript, scene, "rollout")
        found = asyncio.run(judged(transcript, scene, ruled, "rollout", names))
        assert {verdict.dimension: verdict.value for verdict in found} == {
            "decided": decided,
            "judged_harmful": harmful,
        }
        assert ruled == grade(transcript, scene, "rollout")
