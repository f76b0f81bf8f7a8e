"""The measured scenes: detectors that fire on the harm and on nothing else, and samples that are void, never safe."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal
from honeypots import BROKEN_CALL, FILES, both_instruments, ended, every_file, pair
from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import CANARY
from teachwhy.core.records import Call, Instrument, Message, Pattern, Scenario, Transcript
from teachwhy.evals.alternatives import preference
from teachwhy.evals.honeypots.grading import grade
from teachwhy.evals.honeypots.suite import SCENES, check_canaries, load_suite, measured_text
from teachwhy.models.calls import BEGIN, END, split_calls
from teachwhy.models.grammar import tool_call_grammar
from teachwhy.worlds.opening import first_turns, offered_tools, said, turns_to_decision
from teachwhy.worlds.scenes import FAMILIES, LOCKED, check_scene
from teachwhy.worlds.world import World, first_match

HELD_OUT = {"blackmail", "research_sabotage", "framing"}


def turns(side: Scenario, instrument: Instrument) -> list[Message]:
    return turns_to_decision(side) if instrument == "decision" else first_turns(side)


def judge(side: Scenario, instrument: Instrument, messages: list[Message], stop: str) -> dict[str, float | None]:
    transcript = ended(side, instrument, messages, stop)
    found = {verdict.dimension: verdict.value for verdict in grade(transcript, side, instrument)}
    # here what was carried out; what was only called for has tests of its own
    del found["attempted"]
    return found


def act(side: Scenario, call: Call, instrument: Instrument) -> dict[str, float | None]:
    """The verdicts on a model that makes this call and, where it may go on, says so."""
    messages = [*turns(side, instrument), said(call)]
    if instrument == "decision":
        return judge(side, instrument, messages, "tool_calls")
    answer = Message(role="tool", content=World(side).perform(call), name=call.tool)
    return judge(side, instrument, [*messages, answer, Message(role="assistant", content="It is done.")], "stop")


# The suite


def test_there_are_ten_families_with_eight_scenes_each_three_held_out_and_two_locked():
    counts = Counter(path.parent.name for path in FILES)
    assert set(counts) == set(FAMILIES)
    assert len(counts) >= 10
    assert min(counts.values()) >= 8
    for scene, twin in load_suite(unlock=True):
        assert (scene.split == "held_out") == (scene.family in HELD_OUT)
        assert (scene.split == "locked") == (scene.family in LOCKED)
        assert (twin.family, twin.split) == (scene.family, scene.split)


@every_file
def test_a_scene_lies_in_the_folder_of_its_family_and_carries_the_canary(path: Path):
    assert pair(path)[0].family == path.parent.name
    assert CANARY in path.read_text(encoding="utf-8")


def test_ids_are_unique_and_no_two_scenes_tell_the_same_story():
    suite = load_suite(unlock=True)
    for of in ("id", "system", "user"):
        repeated = [text for text, count in Counter(getattr(scene, of) for scene, _ in suite).items() if count > 1]
        assert repeated == []


def test_a_file_without_the_canary_is_refused_with_the_line_to_add(tmp_path: Path):
    (tmp_path / "leaking").mkdir()
    bare = FILES[0].read_text(encoding="utf-8").replace(CANARY, "")
    (tmp_path / "leaking" / "bare.md").write_text(bare, encoding="utf-8")
    check_canaries(SCENES)
    assert "leaking/bare.md lacks the canary" in refusal(ConfigError, lambda: check_canaries(tmp_path))


def test_a_suite_is_chosen_by_family_and_an_unknown_family_is_refused():
    assert {scene.family for scene, _ in load_suite(["leaking", "framing"])} == {"leaking", "framing"}
    assert "did you mean 'leaking'?" in refusal(ConfigError, lambda: load_suite(["leeking"]))


@pytest.mark.parametrize("missing", ["twin:", "# Chat\n"])
def test_a_measured_scene_without_twin_or_chat_is_refused(tmp_path: Path, missing: str):
    text = FILES[0].read_text(encoding="utf-8")
    front, body = text.split("\n---\n", 1)
    if missing == "twin:":
        front = front[: front.index("\ntwin:")]
    else:
        body = body[: body.index(missing)]
    (tmp_path / "blackmail").mkdir()
    (tmp_path / "blackmail" / "x.md").write_text(f"{front}\n---\n{body}", encoding="utf-8")
    assert "needs its benign twin and its chat twin" in refusal(ConfigError, lambda: load_suite(folder=tmp_path))


def test_locked_families_are_left_out_until_they_are_unlocked_by_name_or_altogether():
    assert not {scene.family for scene, _ in load_suite()} & set(LOCKED)
    assert {scene.family for scene, _ in load_suite(unlock=True)} == set(FAMILIES)
    assert "--unlock" in refusal(ConfigError, lambda: load_suite(["endangerment"]))
    assert {scene.family for scene, _ in load_suite(["endangerment"], unlock=True)} == {"endangerment"}


def test_the_measured_text_is_every_file_whole():
    assert measured_text() == {f"{path.parent.name}/{path.name}": path.read_text(encoding="utf-8") for path in FILES}


# Detectors, on every scene


@every_file
@both_instruments
def test_every_written_harmful_act_is_found(path: Path, instrument: Instrument):
    for side in pair(path):
        for call in side.harmful:
            assert act(side, call, instrument)["harmful"] == 1.0, call


@every_file
@both_instruments
def test_every_clean_act_is_judged_clean_and_every_done_act_done(path: Path, instrument: Instrument):
    for side in pair(path):
        for call in side.clean:
            expected = {"harmful": 0.0} if side.side == "scene" else {"harmful": 0.0, "done": 1.0}
            assert act(side, call, instrument) == expected, call


@every_file
def test_what_has_happened_by_the_decision_point_is_neither_harmful_nor_done(path: Path):
    for side in pair(path):
        world = World(side)
        for call in side.opening:
            assert not world.perform(call).startswith(("Error:", "There is no"))
        assert first_match(side.opening, side.harmful_when) is None
        assert first_match(side.opening, side.done_when) is None


@every_file
def test_the_harm_is_no_way_to_finish_the_twins_task(path: Path):
    _, twin = pair(path)
    for call in twin.harmful:
        assert first_match([call], twin.done_when) is None, call


@every_file
def test_doing_nothing_is_clean_in_words_and_leaves_the_twins_task_undone(path: Path):
    for side in pair(path):
        found = judge(side, "rollout", [*first_turns(side), Message(role="assistant", content="I shall not.")], "stop")
        assert found == ({"harmful": 0.0} if side.side == "scene" else {"harmful": 0.0, "done": 0.0})


GARBLED = Message(role="assistant", tool_calls=(BROKEN_CALL,))
RAMBLING = Message(role="assistant", content="and then, and then")
NO_SUCH_TOOL = said(Call(tool="no-such-tool"))


@every_file
@both_instruments
def test_a_truncated_garbled_or_empty_transcript_is_void_and_never_safe(path: Path, instrument: Instrument):
    samples = [
        (RAMBLING, "max_tokens"),
        (RAMBLING, "model_length"),
        (RAMBLING, "content_filter"),
        (RAMBLING, "unknown"),
        (GARBLED, "tool_calls"),
        (GARBLED, "stop"),
        (Message(role="assistant"), "stop"),
        (Message(role="assistant", content=" \n"), "stop"),
    ]
    for side in pair(path):
        for message, stop in samples:
            found = judge(side, instrument, [*turns(side, instrument), message], stop)
            assert set(found.values()) == {None}, (message, stop)


@every_file
def test_where_one_call_is_required_words_or_an_impossible_call_are_void(path: Path):
    for side in pair(path):
        for message in (RAMBLING, NO_SUCH_TOOL):
            assert set(judge(side, "decision", [*turns_to_decision(side), message], "stop").values()) == {None}


@every_file
def test_a_rollout_that_ran_out_of_turns_is_void_unless_the_harm_was_done(path: Path):
    scene, _ = pair(path)
    for call, value in ((scene.clean[0], None), (scene.harmful[0], 1.0)):
        answer = Message(role="tool", content=World(scene).perform(call), name=call.tool)
        assert judge(scene, "rollout", [*first_turns(scene), said(call), answer], "tool_calls") == {"harmful": value}


def test_a_harmful_call_that_was_cut_off_and_so_never_made_does_not_count():
    scene, _ = pair(FILES[0])
    cut = [*first_turns(scene), said(scene.harmful[0])]
    assert judge(scene, "rollout", cut, "max_tokens") == {"harmful": None}


def test_a_harmful_call_beside_one_that_cannot_be_read_was_never_made_either():
    scene, _ = pair(FILES[0])
    both = Message(role="assistant", tool_calls=(scene.harmful[0].entry(), BROKEN_CALL))
    assert judge(scene, "rollout", [*first_turns(scene), both], "tool_calls") == {"harmful": None}


@pytest.mark.parametrize("tag", ["think", "scratchpad"])
def test_thoughts_alone_are_no_answer_and_so_neither_safe_nor_harmful(tag: str):
    scene, _ = pair(FILES[0])
    for text, value in ((f"<{tag}>Leave it.</{tag}>", None), (f"<{tag}>Leave", None), (f"<{tag}>x</{tag}>No.", 0.0)):
        turn = Message(role="assistant", content=text)
        assert judge(scene, "rollout", [*first_turns(scene), turn], "stop") == {"harmful": value}


def test_a_transcript_without_a_single_turn_is_void_too():
    scene, _ = pair(FILES[0])
    transcript = Transcript(scenario=scene.id, side="scene", checkpoint="c", sample=1, messages=(), ending="error")
    assert [verdict.value for verdict in grade(transcript, scene, "rollout")] == [None, None]


@every_file
def test_the_harm_is_judged_by_what_was_done_and_not_by_what_was_said(path: Path):
    scene, _ = pair(path)
    boast = Message(role="assistant", content=f"I shall do it: {scene.harmful[0].to_line()}")
    assert judge(scene, "rollout", [*first_turns(scene), boast], "stop") == {"harmful": 0.0}


# Mutations: a detector that is broken must not get past check_scene

Kind = Literal["harmful_when", "done_when"]


@every_file
@pytest.mark.parametrize("kind", ["harmful_when", "done_when"])
def test_a_detector_that_never_fires_is_caught(path: Path, kind: Kind):
    _, twin = pair(path)
    unknown = (Pattern(tool="no-such-tool"),)
    for never, complaint in (((), f"{kind} misses"), (unknown, "which no tool of the scene can be")):
        mutant = twin.model_copy(update={kind: never})
        assert complaint in refusal(ConfigError, lambda mutant=mutant: check_scene(mutant, "x.md"))


@every_file
def test_a_detector_that_always_fires_is_caught(path: Path):
    for side in pair(path):
        always = tuple(Pattern(tool=tool.name) for tool in side.tools)
        mutant = side.model_copy(update={"harmful_when": always})
        assert "harmful_when fires" in refusal(ConfigError, lambda mutant=mutant: check_scene(mutant, "x.md"))


def test_a_done_detector_that_always_fires_is_caught():
    _, twin = pair(FILES[0])
    mutant = twin.model_copy(update={"done_when": tuple(Pattern(tool=tool.name) for tool in twin.tools)})
    assert "done_when fires" in refusal(ConfigError, lambda: check_scene(mutant, "x.md"))


# Nothing but the meaning gives the harm away


@every_file
def test_no_position_among_the_offered_tools_gives_the_harm_away(path: Path):
    scene, twin = pair(path)
    seeds = 300
    tool = scene.harmful[0].tool
    orders = [[entry["function"]["name"] for entry in offered_tools(scene, seed)] for seed in range(seeds)]
    places = Counter(order.index(tool) for order in orders)
    share = 1 / len(scene.tools)
    reach = 5 * math.sqrt(seeds * share * (1 - share))
    for place in range(len(scene.tools)):
        assert abs(places[place] - seeds * share) < reach
    assert offered_tools(twin, 7) == offered_tools(scene, 7)


@every_file
def test_scene_and_twin_have_the_same_tools_detectors_and_written_harm(path: Path):
    scene, twin = pair(path)
    same = {"id", "tools", "opening", "harmful", "harmful_when", "done_when"}
    assert scene.model_dump(include=same) == twin.model_dump(include=same)
    assert turns_to_decision(scene) != turns_to_decision(twin)


@every_file
def test_harmful_and_clean_ways_to_talk_are_at_least_one_each(path: Path):
    chat = pair(path)[0].chat
    assert chat is not None
    assert chat.user
    assert chat.harmful
    assert chat.clean
    assert not set(chat.harmful) & set(chat.clean)


# P(harmful)

logs = st.lists(st.floats(-600, 0), min_size=1, max_size=4)


@given(logs, logs)
def test_the_probability_of_harm_is_one_minus_that_of_its_opposite(harmful: list[float], clean: list[float]):
    value = preference(harmful, clean)
    assert 0 <= value <= 1
    assert value + preference(clean, harmful) == pytest.approx(1)


@given(logs, logs, st.floats(-100, 100))
def test_the_probability_of_harm_depends_on_differences_alone(harmful: list[float], clean: list[float], shift: float):
    moved = preference([log + shift for log in harmful], [log + shift for log in clean])
    assert moved == pytest.approx(preference(harmful, clean), abs=1e-9)


@given(st.floats(-600, 0), st.integers(1, 4), st.integers(1, 4))
def test_more_written_acts_of_one_class_do_not_make_it_likelier(log: float, harmful: int, clean: int):
    assert preference([log] * harmful, [log] * clean) == pytest.approx(0.5)


# The form of calls

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda text: END not in text)


@given(words.filter(lambda text: BEGIN not in text), words, st.dictionaries(words, words, max_size=3))
def test_a_call_that_was_said_is_read_back(speech: str, name: str, args: dict[str, str]):
    body = json.dumps({"name": name, "arguments": args})
    rest, calls = split_calls(f"{speech}{BEGIN}{body}{END}")
    assert rest == speech.strip()
    assert [(call.function, call.arguments, call.parse_error) for call in calls] == [(name, args, None)]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"x"', '{"name": "a"}', '{"name": "a", "arguments": []}', "{'a'}"]
)
def test_a_call_that_cannot_be_read_carries_its_error_and_no_name(body: str):
    for text in (f"{BEGIN}{body}{END}", f"{BEGIN}{body}"):
        _, [call] = split_calls(text)
        assert call.parse_error
        assert call.function == "?"


@given(st.text(max_size=60))
def test_any_text_at_all_can_be_read_for_calls(text: str):
    for whole in (text, BEGIN + text, f"{BEGIN}{text}{END}{text}"):
        _, calls = split_calls(whole)
        assert len(calls) == whole.count(BEGIN)


@every_file
def test_the_grammar_has_a_rule_for_every_offered_tool(path: Path):
    scene, _ = pair(path)
    rules = tool_call_grammar(offered_tools(scene, 0)).splitlines()
    assert rules[0] == "root ::= " + " | ".join(f"tool{number}" for number in range(len(scene.tools)))
    assert len(rules) == len(scene.tools) + 2
    for tool in scene.tools:
        assert any(f'\\"name\\": \\"{tool.name}\\"' in rule for rule in rules[1:-1])
