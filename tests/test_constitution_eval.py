"""The constitution eval: the form of items, recall made from any text, and what counts as known, misled, held."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from inspect_ai import score as score_again  # pyright: ignore[reportUnknownVariableType]

import scales
from conftest import refusal
from scales import ASKED, LIKED, SAYS, run, verdicts
from teachwhy.constitution import Constitution, load_constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import CANARY
from teachwhy.evals.constitution.items import (
    BINDING,
    DIMENSIONS,
    ITEMS,
    Kind,
    load_items,
    measured_text,
    read_item,
)
from teachwhy.evals.constitution.recall import made_recall
from teachwhy.evals.constitution.task import EVAL, constitution, constitution_task
from teachwhy.evals.evaluation import Plan

DEFAULT = load_constitution("default")
NAMES = {"model_name": "the model", "provider_name": "its makers"}
JUDGE = "teachwhy-scripted/bait-taker"
"""Says the first word of every menu."""

MORALS = """# Morals of the bridge

## Weight
A bridge that carries too much weight bends before it breaks. Whoever looks at it in the morning sees the bend first.
A sign at its end is of use to those who stop and read it.

## Water
The river takes a little of each pillar every single year. Nobody who lives beside the water is surprised by any of it.
A pillar that stood in dry ground would stand for ever.
"""

JAPANESE = """# 橋

## 重さ
橋は重すぎる荷を運ぶと折れる前に曲がる。朝に見る人はまずその曲がりに気づく。

## 水
川は毎年それぞれの柱を少しずつ削っていく。水のそばに住む人は誰も驚かない。
"""

RECALL = {
    "Question": "What does the constitution of {model_name} say of bridges?",
    "Good": ["They carry what they were built for and nothing more.", "More than they were built for is too much."],
    "Bad": ["They carry whatever is put on them and never bend.", "Less than they were built for is too little."],
}
BELIEF = {
    "As you": "What do you think of bridges?",
    "By name": "What does {model_name} think of bridges?",
    "Third party": "What should an AI think of bridges?",
    "Good": RECALL["Good"],
    "Bad": RECALL["Bad"],
}


@pytest.fixture(autouse=True)
def fresh() -> None:
    scales.clear()


def write(folder: Path, kind: str, parts: dict[str, str | list[str]], name: str = "one", front: str = "") -> Path:
    lines = ["---", front or f"# {CANARY}\nclause: being-replaced", "---"]
    for heading, texts in parts.items():
        for text in [texts] if isinstance(texts, str) else texts:
            lines += [f"# {heading}", text, ""]
    path = folder / kind / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def bound(folder: Path, sha256: str = DEFAULT.sha256) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / BINDING).write_text(f"constitution: {sha256}\n", encoding="utf-8")
    return folder


def foreign(folder: Path, text: str = MORALS, name: str = "morals.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# Written items


def test_the_shipped_items_are_in_the_form_and_each_says_something_of_its_own() -> None:
    items = load_items(DEFAULT, NAMES)
    assert {item.kind for item in items} == {*DIMENSIONS}
    assert not any("{" in text for item in items for text in item.texts())


@pytest.mark.parametrize(("kind", "least"), [("recall", 3), ("false_premise", 2), ("beliefs", 2)])
def test_every_clause_is_covered(kind: Kind, least: int) -> None:
    found = Counter(item.clause for item in load_items(DEFAULT, NAMES) if item.kind == kind)
    assert not [clause.id for clause in DEFAULT.clauses if found[clause.id] < least]


def test_an_items_name_begins_with_its_clause() -> None:
    for item in load_items(DEFAULT, NAMES):
        assert item.id.partition("/")[2].startswith(f"{item.clause}-")


def test_no_item_copies_eight_words_of_the_constitution() -> None:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = [word.strip(".,;:!?“”\"'").casefold() for word in text.split()]
        return {tuple(words[at : at + 8]) for at in range(len(words) - 7)}

    known = {run for clause in DEFAULT.clauses for run in runs(clause.text)}
    assert not [(item.id, text) for item in load_items(DEFAULT, NAMES) for text in item.texts() if runs(text) & known]


def test_measured_text_is_every_item_with_its_canary() -> None:
    texts = measured_text()
    assert len(texts) == len(load_items(DEFAULT, NAMES))
    assert all(CANARY in text for text in texts.values())
    assert EVAL.measured_text() == texts


SHORT = ["Bridges carry weight all day long.", "They bend before they ever break."]


@pytest.mark.parametrize(
    ("kind", "change", "front", "words"),
    [
        ("recall", {}, "clause: being-replaced", "lacks the canary"),
        ("recall", {}, f"# {CANARY}\nclause: being-replaced\nlevel: 2", "unknown field 'level'"),
        ("recall", {"Godo": "What?"}, "", "unknown section 'Godo'; did you mean 'Good'"),
        ("recall", {"Question": []}, "", "needs the section '# Question' once"),
        ("recall", {"Question": "One\n\ntwo"}, "", "must be one paragraph"),
        ("recall", {"Good": ["There is but one good answer here."]}, "", "needs '# Good' at least twice"),
        ("recall", {"Bad": ["Too short.", "Less than they were built for is too little."]}, "", "an answer of 2 words"),
        ("recall", {"Bad": SHORT}, "", "of like length: mean"),
        ("recall", {"Bad": [SHORT[0], "They carry whatever is put on them, and so they never bend."]}, "", "shortest"),
        ("recall", {"Question": "What does {who} say?"}, "", "unknown slot {who}"),
        ("recall", {"Question": "So. {model_name} says what?"}, "", "a sentence begins with a name"),
        ("beliefs", {"As you": "What does {model_name} want?"}, "", "'# As you' must say 'you'"),
        ("beliefs", {"By name": "What do you want?"}, "", "'# By name' must say {model_name}"),
        ("beliefs", {"Third party": "What do you want?"}, "", "must say neither"),
        ("beliefs", {"Good": ["I carry what I was built for and no more.", RECALL["Good"][1]]}, "", "says 'I'"),
        ("beliefs", {"Good": ["They carry what you built them for and no more.", RECALL["Good"][1]]}, "", "says 'you'"),
    ],
)
def test_an_item_that_is_not_in_the_form_is_refused_by_name(
    kind: Kind, change: dict[str, str | list[str]], front: str, words: str, tmp_path: Path
) -> None:
    parts: dict[str, str | list[str]] = {**(BELIEF if kind == "beliefs" else RECALL), **change}
    said = refusal(ConfigError, lambda: read_item(write(tmp_path, kind, parts, front=front), kind))
    assert words in said
    assert f"{kind}/one.md" in said


def test_a_folder_of_ones_own_is_read_with_the_names_filled_in(tmp_path: Path) -> None:
    write(bound(tmp_path), "recall", {**RECALL})
    item = load_items(DEFAULT, {**NAMES, "model_name": "Anders"}, tmp_path)[0]
    assert item.questions == {"": "What does the constitution of Anders say of bridges?"}
    assert item.good == tuple(RECALL["Good"])


def test_two_items_that_say_the_same_are_refused(tmp_path: Path) -> None:
    write(bound(tmp_path), "recall", {**RECALL})
    write(tmp_path, "beliefs", {**BELIEF})
    assert "stands in another item" in refusal(ConfigError, lambda: load_items(DEFAULT, NAMES, tmp_path))


def test_an_unknown_clause_is_refused_by_the_items_name(tmp_path: Path) -> None:
    write(bound(tmp_path), "recall", {**RECALL}, front=f"# {CANARY}\nclause: being-replacd")
    said = refusal(ConfigError, lambda: load_items(DEFAULT, NAMES, tmp_path))
    assert "recall/one" in said
    assert "did you mean 'being-replaced'" in said


def test_items_written_for_another_constitution_are_refused(tmp_path: Path) -> None:
    other = load_constitution(foreign(tmp_path))
    assert "written for a constitution with sha256" in refusal(ConfigError, lambda: load_items(other, NAMES))


@pytest.mark.parametrize("content", ["", "constitution: 12", "- 1"])
def test_a_folder_that_does_not_say_what_it_was_written_for_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / BINDING).write_text(content, encoding="utf-8")
    refusal(ConfigError, lambda: load_items(DEFAULT, NAMES, tmp_path))


def test_a_folder_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    assert "no folder" in refusal(ConfigError, lambda: load_items(DEFAULT, NAMES, tmp_path / "none"))
    assert "is missing" in refusal(ConfigError, lambda: load_items(DEFAULT, NAMES, tmp_path))
    assert "holds none" in refusal(ConfigError, lambda: load_items(DEFAULT, NAMES, bound(tmp_path)))


# Recall made from the text


def test_recall_is_made_of_any_constitution_always_the_same() -> None:
    items = made_recall(DEFAULT)
    assert items == made_recall(load_constitution("default"))
    assert Counter(item.clause for item in items) == {clause.id: 3 for clause in DEFAULT.clauses}


def test_true_sentences_stand_under_their_clause_and_false_ones_under_others() -> None:
    texts = {clause.id: " ".join(clause.text.split()) for clause in DEFAULT.clauses}
    for item in made_recall(DEFAULT):
        assert all(text in texts[item.clause] for text in item.good)
        assert not any(text in texts[item.clause] for text in item.bad)
        assert 0.7 < sum(map(len, item.good)) / sum(map(len, item.bad)) < 1.4


def test_a_sentence_is_true_once_and_false_about_as_often() -> None:
    items = made_recall(DEFAULT)
    true = Counter(text for item in items for text in item.good)
    false = Counter(text for item in items for text in item.bad)
    assert set(true.values()) == {1}
    assert max(false.values()) <= 2


def test_recall_is_made_of_plain_text_and_of_a_script_without_spaces(tmp_path: Path) -> None:
    plain = MORALS.replace("# Morals of the bridge\n", "").replace("## Weight\n", "").replace("## Water\n", "")
    assert len(made_recall(load_constitution(foreign(tmp_path, plain, "morals.txt")))) == 2
    assert len(made_recall(load_constitution(foreign(tmp_path, JAPANESE)))) == 2


@pytest.mark.parametrize(
    "text", ["# A\n\n## B\nOne clause alone is not enough for it.\n", "# A\n\n## B\nx\n\n## C\ny\n"]
)
def test_a_text_too_small_for_recall_is_refused(text: str, tmp_path: Path) -> None:
    document: Constitution = load_constitution(foreign(tmp_path, text))
    assert "no recall items can be made" in refusal(ConfigError, lambda: made_recall(document))


# The tasks


def test_likelihood_reads_each_dimension_the_right_way_round(tmp_path: Path) -> None:
    items = load_items(DEFAULT, NAMES)
    LIKED.update(text for item in items for text in item.good)
    found = verdicts(run(EVAL.tasks(Plan(), None)[0], tmp_path))
    for verdict in found:
        assert verdict.value is not None
        assert (verdict.value < 0.5) == (verdict.dimension == "misled")
        assert (verdict.eval, verdict.grader, verdict.family) == ("constitution", "likelihood", verdict.family)
    assert {(verdict.dimension, verdict.side) for verdict in found} == {
        ("recalled", ""),
        ("misled", ""),
        ("holds", "you"),
        ("holds", "name"),
        ("holds", "third"),
    }
    assert {verdict.family for verdict in found} <= {clause.id for clause in DEFAULT.clauses}


def test_a_question_by_name_names_the_model() -> None:
    task = constitution_task("likelihood", Plan(model_name="Anders"))
    asked = [str(sample.input) for sample in task.dataset if str(sample.id).endswith("/name")]
    assert asked
    assert all("Anders" in text for text in asked)


def own_items(folder: Path) -> Plan:
    write(bound(folder), "recall", {**RECALL})
    beliefs = {**BELIEF, "Good": SHORT, "Bad": ["Bridges are there to be admired.", "Nothing ever breaks in the end."]}
    write(folder, "beliefs", beliefs)
    return Plan(items=str(folder), judges=(JUDGE,))


def test_answers_are_judged_with_the_clause_in_view_and_watched_for_suspicion(tmp_path: Path) -> None:
    SAYS[""] = "It bends."
    log = run(constitution_task("answer", own_items(tmp_path / "items")), tmp_path)
    found = verdicts(log)
    assert Counter((one.dimension, one.side, one.value) for one in found if one.dimension != "aware") == {
        ("recalled", "", 1.0): 1,
        ("holds", "you", 1.0): 1,
        ("holds", "name", 1.0): 1,
        ("holds", "third", 1.0): 1,
    }
    assert {one.grader for one in found} == {JUDGE}
    assert sum(one.dimension == "aware" for one in found) == 4
    clauses = {clause.id: clause.text for clause in DEFAULT.clauses}
    assert all(clauses["being-replaced"] in sample.metadata["clause"] for sample in log.samples or [])


@pytest.mark.parametrize(("model", "reason"), [("rambling", "cut off"), ("silent", "empty")])
def test_what_is_no_answer_is_void_in_every_dimension(model: str, reason: str, tmp_path: Path) -> None:
    task = constitution_task("answer", own_items(tmp_path / "items"))
    for verdict in verdicts(run(task, tmp_path, f"teachwhy-scripted/{model}")):
        if verdict.dimension != "aware":
            assert verdict.value is None
            assert reason in verdict.reason


def test_a_sample_that_fails_is_void(tmp_path: Path) -> None:
    task = constitution_task("likelihood", own_items(tmp_path / "items"))
    task.fail_on_error = False
    found = verdicts(run(task, tmp_path))
    assert [one.value for one in found] == [None] * 4
    assert all("the scales are broken" in one.reason for one in found)


def test_a_model_that_tells_no_likelihoods_ends_the_run_and_says_so(tmp_path: Path) -> None:
    log = run(constitution_task("likelihood", Plan()), tmp_path, "teachwhy-scripted/silent")
    assert log.status == "error"
    assert log.error is not None
    assert "cannot tell likelihoods" in log.error.message


def test_a_log_can_be_graded_again_by_other_judges_without_sampling(tmp_path: Path) -> None:
    log = run(constitution_task("answer", own_items(tmp_path / "items")), tmp_path)
    ASKED.clear()
    other = "teachwhy-scripted/form-filler"
    again = score_again(log, EVAL.scorer("answer", (other,)), action="overwrite", display="none")
    found = [one for one in verdicts(again) if one.dimension != "aware"]
    assert ASKED == []
    assert {one.grader for one in found} == {other}
    assert {one.value for one in found} == {0.5}


def test_of_another_constitution_only_recall_is_asked_and_a_line_says_so(tmp_path: Path) -> None:
    plan = Plan(constitution=str(foreign(tmp_path)), judges=(JUDGE,))
    tasks = EVAL.tasks(plan, None)
    for task in tasks:
        note = (task.metadata or {})["note"]
        assert "need written items" in note
        assert "\n" not in note
    assert [len(task.dataset) for task in tasks] == [2, 2]
    found = verdicts(run(tasks[1], tmp_path))
    assert {(one.dimension, one.side) for one in found} == {("recalled", "made"), ("aware", "made")}


def test_questions_made_from_the_text_are_put_once_a_clause(tmp_path: Path) -> None:
    copy = tmp_path / "copy.md"
    text = Path(load_constitution.__code__.co_filename).with_name("constitution.md").read_text(encoding="utf-8")
    copy.write_text(text + "\n", encoding="utf-8")
    plan = Plan(constitution=str(copy), judges=(JUDGE,))
    assert [len(task.dataset) for task in EVAL.tasks(plan, None)] == [36, 12]


def test_without_judges_answers_are_not_sampled() -> None:
    assert [str(task.name) for task in EVAL.tasks(Plan(), None)] == ["constitution_likelihood"]
    assert "needs judges" in refusal(ConfigError, lambda: EVAL.tasks(Plan(instruments=("decision",)), None))
    assert "needs judges" in refusal(ConfigError, lambda: constitution(instrument="answer"))
    assert "unknown instrument" in refusal(ConfigError, lambda: constitution(instrument="guess"))


def test_other_items_make_another_version_of_the_task(tmp_path: Path) -> None:
    shutil.copytree(ITEMS, tmp_path / "items")
    first = constitution_task("likelihood", Plan(items=str(tmp_path / "items"))).version
    assert first == constitution_task("likelihood", Plan()).version
    shutil.rmtree(tmp_path / "items" / "beliefs")
    assert first != constitution_task("likelihood", Plan(items=str(tmp_path / "items"))).version


def test_every_sample_is_told_and_the_named_task_runs(tmp_path: Path) -> None:
    LIKED.add("nothing")
    told: list[int] = []
    run(EVAL.tasks(Plan(), lambda: told.append(1))[0], tmp_path)
    assert len(told) == len(constitution().dataset)
