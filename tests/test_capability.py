"""The capability eval: hand-made items that are in order, rules that mean what they say, public tasks by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import score as score_again  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import includes

import scales
from conftest import refusal as refused
from scales import ASKED, LIKED, SAYS, run, verdicts
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.markdown import CANARY
from teachwhy.core.records import Message
from teachwhy.evals.capability import items as items_module
from teachwhy.evals.capability import outside
from teachwhy.evals.capability.items import (
    KINDS,
    Arithmetic,
    Benign,
    Instruction,
    Item,
    Reading,
    ToolUse,
    load_items,
    measured_text,
    tool_sets,
)
from teachwhy.evals.capability.outside import also, figures_of
from teachwhy.evals.capability.rules import (
    broken_rule,
    check_rules,
    is_beyond_mending,
    last_number,
    says_first,
    wrong_call,
)
from teachwhy.evals.capability.task import COMPARED, EVAL, capability, capability_task, grade
from teachwhy.evals.evaluation import Plan

JUDGE = "teachwhy-scripted/bait-taker"
"""Says the first word of every menu."""


@pytest.fixture(autouse=True)
def fresh() -> None:
    scales.clear()


def of(kind: type[Item]) -> list[Any]:
    return [item for name in KINDS for item in load_items(name) if isinstance(item, kind)]


# The items


@pytest.mark.parametrize(
    ("kind", "least"), [("tool_use", 24), ("instruction", 24), ("arithmetic", 30), ("reading", 24), ("benign", 30)]
)
def test_there_are_enough_items_of_a_kind_each_once(kind: str, least: int) -> None:
    items = load_items(kind)
    assert len(items) >= least
    assert len({item.prompt() for item in items}) == len({item.id for item in items}) == len(items)


def test_the_readme_counts_what_is_there() -> None:
    readme = (Path(items_module.__file__).with_name("README.md")).read_text(encoding="utf-8")
    names = ("tool use", "following instructions", "arithmetic", "benign requests that sound alarming")
    for name, kind in zip(names, ("tool_use", "instruction", "arithmetic", "benign"), strict=True):
        assert f"{name} ({len(load_items(kind))})" in " ".join(readme.split())


def test_measured_text_is_every_file_with_its_canary() -> None:
    texts = measured_text()
    assert set(texts) == {f"{kind}.yaml" for kind in KINDS}
    assert all(text.startswith(f"# {CANARY}\n") for text in texts.values())


def test_arithmetic_has_two_levels_and_its_wrong_answers_are_wrong() -> None:
    assert set(Counter(item.level for item in of(Arithmetic)).values()) == {16}
    assert not [item.id for item in of(Arithmetic) if item.answer in item.wrong]


def test_the_answers_of_reading_stand_in_the_passage_or_nearly() -> None:
    for item in of(Reading):
        assert says_first(item.accept[0], item.accept, item.wrong), item.id
        assert not says_first(item.wrong[0], item.accept, item.wrong), item.id


def test_every_tool_is_wanted_by_some_request() -> None:
    wanted = {(item.set, item.call["tool"]) for item in of(ToolUse)}
    assert wanted >= {(name, tool.name) for name, tools in tool_sets().items() for tool in tools} - {
        ("kitchen", "none")
    }


@pytest.mark.parametrize(
    ("kind", "entry", "words"),
    [
        ("arithmetic", "{id: A, level: 1, ask: x, answer: 1, wrong: [2, 3]}", "small letters with hyphens"),
        ("arithmetic", "{id: a, level: 3, ask: x, answer: 1, wrong: [2, 3]}", "level"),
        ("arithmetic", "{id: a, level: 1, ask: x, answer: 1, wrong: [1, 3]}", "among the wrong answers"),
        ("reading", "{id: a, passage: p, ask: x, accept: [b], wrong: [b]}", "both accepted and wrong"),
        ("instruction", "{id: a, ask: x, rules: {word: 3}}", "unknown rule 'word'; did you mean 'words'"),
        ("instruction", "{id: a, ask: x, rules: {form: rhyme}}", "unknown 'rhyme'"),
        ("benign", "{id: a, ask: x, helpful: [a b c, a b d], refusing: [a b c d e, a b c d f]}", "of like length"),
        ("benign", "{id: a, ask: x, helpful: [a b c], refusing: [a b c d, a b c f]}", "helpful"),
        ("arithmetic", "{id: a, level: 1, ask: x, answer: 1, wrong: [2, 3], why: y}", "why"),
    ],
)
def test_an_item_that_is_not_in_the_form_is_refused(
    kind: str, entry: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{kind}.yaml").write_text(f"# {CANARY}\nitems:\n  - {entry}\n", encoding="utf-8")
    monkeypatch.setattr(items_module, "ITEMS", tmp_path)
    assert words in refused(ConfigError, lambda: load_items.__wrapped__(kind))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{id: a, set: desk, ask: x, call: {tool: ring, times: ['1']}}", "unknown set 'desk'"),
        ("{id: a, set: bell, ask: x, call: {tool: wring, times: ['1']}}", "unknown tool 'wring'; did you mean 'ring'"),
        ("{id: a, set: bell, ask: x, call: {tool: ring}}", "must name the arguments times, how"),
        ("{id: a, set: bell, ask: x, call: {tool: ring, times: ['1'], how: [softly]}}", "is not among loud, low"),
    ],
)
def test_a_call_that_no_tool_could_take_is_refused(
    entry: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = "sets: {bell: {ring: {about: Rings., args: {times: text, how: [loud, low]}}}}"
    (tmp_path / "tool_use.yaml").write_text(f"# {CANARY}\n{bell}\nitems:\n  - {entry}\n", encoding="utf-8")
    monkeypatch.setattr(items_module, "ITEMS", tmp_path)
    monkeypatch.setattr(items_module, "tool_sets", items_module.tool_sets.__wrapped__)
    assert words in refused(ConfigError, lambda: load_items.__wrapped__("tool_use"))


def test_a_file_without_canary_and_an_item_that_stands_twice_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items_module, "ITEMS", tmp_path)
    entry = "  - {id: a, level: 1, ask: x, answer: 1, wrong: [2, 3]}\n"
    path = tmp_path / "arithmetic.yaml"
    path.write_text(f"items:\n{entry}", encoding="utf-8")
    assert "lacks the canary" in refused(ConfigError, lambda: load_items.__wrapped__("arithmetic"))
    path.write_text(f"# {CANARY}\nitems:\n{entry}{entry}", encoding="utf-8")
    assert "twice: 'a'" in refused(ConfigError, lambda: load_items.__wrapped__("arithmetic"))


# The rules


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("3 + 4 = 7.", 7),
        ("The answer is **42**.", 42),
        ("It makes 1,200 in all", 1200),
        ("1.200 euros", 1200),
        ("-5", -5),
        ("2.5 metres", 2.5),
        ("first 5, then 8", 8),
        ("<think>9</think>4", 4),
        ("none", None),
        ("A4", None),
    ],
)
def test_the_last_number_counts(text: str, number: float | None) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Esi", True),
        ("esi is the shortest, not Ama", True),
        ("Ama, or perhaps Esi", False),
        ("Esiama", False),
        ("Nobody", False),
        ("**Esi.**", True),
    ],
)
def test_what_is_said_first_counts(text: str, right: bool) -> None:
    assert bool(says_first(text, ["Esi"], ["Kofi", "Ama"])) is right


def test_a_number_is_not_found_within_another() -> None:
    assert not says_first("40,330", ["40"], ["12"])
    assert says_first("at 40.", ["40"], ["12"])


WANTED = {"tool": "book", "train": ("2214", "train 2214"), "seat": ("window",), "note": "*"}


@pytest.mark.parametrize(
    ("tool", "args", "wrong"),
    [
        ("book", {"train": "2214", "seat": "window", "note": "x"}, ""),
        ("book", {"train": 2214, "seat": " Window. ", "note": ""}, ""),
        ("book", {"train": "2214.0", "seat": "'window'", "note": "y"}, ""),
        ("book", {"train": "Train  2214", "seat": "window", "note": "y"}, ""),
        ("report", {"train": "2214"}, "called report, not book"),
        ("book", {"train": "2215", "seat": "window", "note": "y"}, "train is '2215'"),
        ("book", {"train": "2214", "seat": "window"}, "note is missing"),
        ("book", {"train": "2214", "seat": "window", "note": "y", "hat": "z"}, "hat is no argument"),
    ],
)
def test_a_call_is_right_if_it_is_the_wanted_one_after_normalising(tool: str, args: dict[str, Any], wrong: str) -> None:
    said = wrong_call(tool, args, WANTED)
    assert said.startswith(wrong)
    assert bool(said) is bool(wrong)


KEPT: list[tuple[str, Any, str, str]] = [
    ("words", 3, "grey cold deep", "grey and cold deep"),
    ("words", [1, 3], "deep", "so very deep indeed"),
    ("sentences", 2, "Bees fly. They sing!", "Bees fly, they sing."),
    ("lines", 2, "one\n\ntwo", "one"),
    ("parts", 3, "red, blue, green", "red and blue"),
    ("digits", 0, "eight", "8"),
    ("count", {"moss": 3}, "moss moss Moss", "moss mossy moss"),
    ("uses", ["lantern"], "A Lantern burns.", "Lanterns burn."),
    ("uses", ["(Rome)"], "It is (Rome).", "It is Rome."),
    ("avoids", [","], "cows and hens", "cows, hens"),
    ("avoids", ["sun"], "The sunny day", "The sun shone"),
    ("only", ["yes", "no"], "No.", "No, it is not"),
    ("starts", "However", "“However, it boils.”", "It boils, however."),
    ("ends", "it was over", "And then it was over.", "It was over, and then?"),
    ("ends", "?", "What grows there?", "Tell me what grows."),
    ("order", ["ant", "dog"], "an ant, a dog", "a dog, an ant"),
    ("each_begins", "b", "bee, Bark, boat", "bee and boat"),
    ("casing", "upper", "HARP", "Harp"),
    ("casing", "lower", "lagos", "Lagos"),
    ("form", "bullets", "- saw\n- plane", "saw\nplane"),
    ("form", "numbered", "1. brie\n2) feta", "1. brie\n3. feta"),
    ("form", "quoted", "“Down the Oder”", "Down the Oder"),
    ("json", {"name": "Ida", "age": 9}, '```json\n{"age": 9, "name": "Ida"}\n```', "name: Ida, age: 9"),
]


@pytest.mark.parametrize(("rule", "value", "good", "bad"), KEPT)
def test_a_rule_tells_what_keeps_it_from_what_breaks_it(rule: str, value: Any, good: str, bad: str) -> None:
    check_rules({rule: value}, "x")
    assert broken_rule(good, {rule: value}) == ""
    assert broken_rule(bad, {rule: value}).startswith(rule)


def test_every_rule_is_tried_and_every_rule_of_an_item_is_known() -> None:
    tried = {rule for rule, *_ in KEPT}
    assert {rule for item in of(Instruction) for rule in item.rules} == tried


@pytest.mark.parametrize(
    ("rules", "said", "lost"),
    [
        ({"words": 3}, "the sea is grey and", True),
        ({"words": 3}, "the sea", False),
        ({"words": [8, 20]}, "the sea", False),
        ({"uses": ["lantern"]}, "the sea", False),
        ({"avoids": ["sea"]}, "the sea", True),
        ({"ends": "over"}, "the sea", False),
        ({"sentences": 1}, "A sea. A bay. And", True),
    ],
)
def test_an_answer_that_was_cut_off_is_lost_only_if_nothing_could_mend_it(
    rules: dict[str, Any], said: str, lost: bool
) -> None:
    assert is_beyond_mending(said, rules) is lost


# The tasks


def right_answer(item: Item) -> ModelOutput | str:
    if isinstance(item, ToolUse):
        args = {name: value if isinstance(value, str) else value[0] for name, value in item.call.items()}
        return ModelOutput.for_tool_call("scales/liking", str(args.pop("tool")), args)
    if isinstance(item, Arithmetic):
        return f"It is {item.answer}."
    if isinstance(item, Reading):
        return item.accept[0]
    return item.helpful[0] if isinstance(item, Benign) else "No idea"


def test_right_answers_are_right_and_requests_that_only_sound_alarming_are_not_refused(tmp_path: Path) -> None:
    SAYS.update({item.prompt(): right_answer(item) for kind in KINDS for item in load_items(kind)})
    found = verdicts(run(EVAL.tasks(Plan(), None)[0], tmp_path))
    rates = {kind: {one.value for one in found if one.family == kind and one.dimension != "aware"} for kind in KINDS}
    assert rates == {"tool_use": {1}, "instruction": {0, 1}, "arithmetic": {1}, "reading": {1}, "benign": {0}}
    assert {one.dimension for one in found if one.family == "benign"} == {"refused", "aware"}
    assert {one.grader for one in found} == {"rules"}


def test_a_call_is_required_where_there_are_tools_and_other_models_have_room_to_think(tmp_path: Path) -> None:
    run(capability_task("answer", Plan(), ["tool_use", "reading"]), tmp_path)
    assert Counter(choice == "any" for *_, choice in ASKED) == {True: len(load_items("tool_use")), False: 26}
    assert {config.temperature for _, config, _ in ASKED} == {0.0}
    assert {config.max_tokens for _, config, _ in ASKED} == {48, 32}


@pytest.mark.parametrize("model", ["silent", "garbled"])
def test_what_is_no_answer_is_void(model: str, tmp_path: Path) -> None:
    found = verdicts(run(capability_task("answer", Plan(), ["tool_use"]), tmp_path, f"teachwhy-scripted/{model}"))
    assert {one.value for one in found if one.dimension == "right"} == {None}


def test_an_answer_cut_off_is_void_unless_it_is_decided_already(tmp_path: Path) -> None:
    found = verdicts(run(capability_task("answer", Plan()), tmp_path, "teachwhy-scripted/rambling"))
    values = {one.scenario: one.value for one in found if one.dimension != "aware"}
    assert values["arithmetic/apples"] is None
    assert values["reading/ferry"] is None
    assert values["benign/kill-process"] is None
    assert values["instruction/three-words"] == 0.0
    assert values["instruction/with-lantern"] is None


def test_no_call_is_wrong_and_not_void() -> None:
    item = of(ToolUse)[0]
    assert grade(item, Message(role="assistant", content="Which timer?"))["value"] == 0.0


def test_likelihood_asks_the_three_kinds_that_have_written_answers(tmp_path: Path) -> None:
    LIKED.add("9")
    LIKED.update(text for item in of(Benign) for text in item.helpful)
    found = verdicts(run(EVAL.tasks(Plan(), None)[1], tmp_path))
    assert {one.family for one in found} == set(COMPARED)
    assert {one.dimension for one in found if one.family == "benign"} == {"refused"}
    assert all(one.value is not None and one.value < 0.5 for one in found if one.family == "benign")
    assert next(one.value for one in found if one.scenario == "arithmetic/clock") == pytest.approx(1.0)


def test_judges_decide_on_refusals_with_the_rules_opinion_beside_and_can_be_changed_later(tmp_path: Path) -> None:
    SAYS[""] = "You pull at one end until it comes off."
    log = run(capability_task("answer", Plan(judges=(JUDGE,)), ["benign"]), tmp_path)
    found = [one for one in verdicts(log) if one.dimension == "refused"]
    assert {one.value for one in found} == {1.0}
    assert {tuple(one.opinions.items()) for one in found} == {((JUDGE, 1.0), ("rules", 0.0))}
    ASKED.clear()
    again = score_again(log, EVAL.scorer("answer", ()), action="overwrite", display="none")
    assert {one.value for one in verdicts(again) if one.dimension == "refused"} == {0.0}
    assert ASKED == []


def test_a_plan_without_likelihood_asks_for_answers_alone_and_once() -> None:
    tasks = EVAL.tasks(Plan(instruments=("rollout",), samples=5), None)
    assert [(task.name, task.epochs or 1) for task in tasks] == [("capability_answer", 1)]


def test_an_instrument_or_kind_that_there_is_not_is_refused() -> None:
    assert "unknown instrument 'answers'" in refused(ConfigError, lambda: capability(instrument="answers"))
    assert "unknown kind 'tool'" in refused(ConfigError, lambda: capability(kinds="tool"))
    assert "unknown kind" in refused(ConfigError, lambda: capability(instrument="likelihood", kinds="tool_use"))
    assert len(capability(kinds="reading, benign").dataset) == len(load_items("reading")) + len(load_items("benign"))


# Public tasks


def test_a_public_task_is_found_by_its_name_with_or_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "_known", lambda: {"quiz": quiz, "closed": closed})
    assert [task.name for task in also(["quiz", "inspect_evals/quiz"])] == ["quiz"]
    assert also([]) == []
    said = refused(ConfigError, lambda: also(["quizz"]))
    assert "did you mean quiz?" in said
    said = refused(ModelError, lambda: also(["closed"]))
    assert said == "inspect_evals/closed cannot be set up: ConnectionError: no way out"


def quiz() -> Task:
    dataset = MemoryDataset([Sample(input="Say I see.", target="see"), Sample(input="Say no.", target="no")])
    return Task(dataset=dataset, scorer=includes(), name="quiz", version=3)


def closed() -> Task:
    raise ConnectionError("no way\nout")


def test_without_the_package_the_line_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(group: str) -> list[Any]:
        return []

    monkeypatch.setattr(outside, "entry_points", none)
    assert "pip install 'teachwhy[public]'" in refused(ModelError, lambda: also(["ifeval"]))


def test_the_scores_of_a_public_task_are_kept_as_they_are(tmp_path: Path) -> None:
    figures = figures_of(run(quiz(), tmp_path))
    assert figures.task == "inspect_evals/quiz"
    assert (figures.model, figures.version, figures.samples, figures.failed) == ("scales/liking", "3", 2, 0)
    assert figures.metrics["includes/accuracy"] == 0.5


def test_a_public_task_that_did_not_finish_has_no_scores(tmp_path: Path) -> None:
    log = run(quiz(), tmp_path)
    log.status = "cancelled"
    assert "did not finish: cancelled" in refused(ModelError, lambda: figures_of(log))
