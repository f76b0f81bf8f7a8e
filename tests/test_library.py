"""The corpus that ships, the rows made of it, and their budget."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import HELD_OUT, TRAINED, library_rows, made, order, refusal, row
from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.grams import GRAM, split_words
from teachwhy.core.records import Example
from teachwhy.interventions import INTERVENTIONS, check_order, fill_budget
from teachwhy.interventions.library.shelf import (
    HERE,
    advice_dialogues,
    bare_answers,
    document_requests,
    document_types,
    everyday_chats,
    fill_names,
    filler_sentences,
    ordinary_work,
    training_scenes,
)
from teachwhy.interventions.library.surroundings import surrounding_tools, surroundings
from teachwhy.worlds.scenes import FAMILIES
from teachwhy.worlds.world import World, first_match

OWN = [name for name, one in INTERVENTIONS.items() if one.rows != "changed"]
"""Interventions that make rows of their own."""
NAMES = {"model_name": "the model", "provider_name": "its makers"}
ARGUED = ("advice", "documents", "stories")
"""Shelves whose texts name the clauses that they bear on."""
BARRED = re.compile(r"blackmail|extort|shut(s|ting)?[ -]?(it |him |her |them |me |the \w+ )?(down|off)", re.IGNORECASE)


# The library


@pytest.mark.parametrize(
    ("shelf", "promised"),
    [("advice", 150), ("documents", 150), ("stories", 80), ("irrelevant_principle", 60), ("eval_description", 40)],
)
def test_a_shelf_holds_the_promised_number_of_texts(shelf: str, promised: int):
    assert len(library_rows(shelf)) >= promised


def test_there_are_the_promised_scenes_each_with_three_good_acts_and_a_reason_for_each():
    scenes = training_scenes(FAMILIES)
    assert len(scenes) >= 160
    for scene in scenes:
        assert len(scene.clean) == 3, scene.id
        assert len(scene.reasons) == 3, scene.id
        assert all(scene.reasons), scene.id
        assert len({call.to_line() for call in scene.clean}) == 3, scene.id
    assert min(Counter(scene.family for scene in scenes).values()) >= 30


def test_every_dialogue_has_an_answer_without_reasons_that_is_shorter():
    answers = bare_answers()
    assert set(answers) == {dialogue.id for dialogue in advice_dialogues()}
    for dialogue in advice_dialogues():
        bare = answers[dialogue.id]
        assert bare
        assert len(bare) < len(dialogue.messages[-1].content), dialogue.id


def test_documents_are_of_many_types_and_each_has_the_request_that_it_answers():
    assert len(document_types()) >= 25
    asked = document_requests(**NAMES)
    assert set(asked) == {document.id for document in library_rows("documents")}
    assert all(asked.values())
    assert max(Counter(asked.values()).values()) == 1


def test_documents_as_chat_are_the_same_texts_as_answers_to_their_requests():
    asked = document_requests(**NAMES)
    for text, chat in zip(library_rows("documents"), made("documents", options={"as": "chat"}), strict=True):
        assert chat.text is None
        assert [turn.role for turn in chat.messages] == ["user", "assistant"]
        assert [turn.content for turn in chat.messages] == [asked[text.id], text.text]
        assert chat.clauses == text.clauses


def test_there_are_stories_of_both_kinds_and_none_about_blackmail_or_shutdown():
    kinds = {kind: made("stories", options={"kind": kind}) for kind in INTERVENTIONS["stories"].options["kind"]}
    assert set(kinds) == {"aligned", "health"}
    assert min(map(len, kinds.values())) >= 35
    assert sum(map(len, kinds.values())) == len(library_rows("stories"))
    assert [story.id for story in library_rows("stories") if BARRED.search(story.text or "")] == []


@pytest.mark.parametrize("intervention", ["documents", "stories"])
def test_names_are_filled_in_and_begin_a_sentence_with_a_capital(intervention: str):
    named = made(intervention, model_name="Quillon", provider_name="Ardent Works")
    assert sum("Quillon" in (text.text or "") for text in named) >= 10
    for text in (*named, *library_rows(intervention)):
        assert "{" not in (text.text or ""), text.id
    for text in library_rows(intervention):
        small = re.search(r"""(?:\A|[.!?]["”’)*_]*\s+|\n[\W_]*)(the model|its makers)\b""", text.text or "")
        assert small is None, (text.id, small)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{model_name} said so.", "The model said so."),
        ("We asked. {model_name} said so to {provider_name}.", "We asked. The model said so to its makers."),
        ('"No." {provider_name} smiled.', '"No." Its makers smiled.'),
        ("# {model_name}\n\n**{provider_name}** made it", "# The model\n\n**Its makers** made it"),
        ("Then {model_name}, which {provider_name} made", "Then the model, which its makers made"),
    ],
)
def test_a_name_gets_a_capital_where_it_begins_a_sentence_alone(text: str, filled: str):
    assert fill_names(text, NAMES, "x") == filled


def test_a_slot_of_another_name_is_refused():
    assert "{model_nmae}" in refusal(ConfigError, lambda: fill_names("{model_nmae}", NAMES, "x.md"))


def test_there_are_tools_of_thirty_domains_and_system_prompts_that_name_no_other():
    tools = [tool["function"] for shelf in surrounding_tools().values() for tool in shelf]
    assert len(surrounding_tools()) == 30
    assert len(tools) >= 120
    assert max(Counter(tool["name"] for tool in tools).values()) == 1
    assert max(Counter(tool["description"] for tool in tools).values()) == 1
    for tool in tools:
        assert set(tool["parameters"]["required"]) <= set(tool["parameters"]["properties"]), tool["name"]
    assert len(surroundings()) >= 120
    assert {domain for one in surroundings() for domain in one.domains} == set(surrounding_tools())


def test_there_is_enough_to_fill_up_with():
    assert len(filler_sentences()) >= 300
    assert all(sentence[-1] in ".!?" for sentence in filler_sentences())


def texts_of(shelf: str) -> list[tuple[str, str]]:
    """(file, all its text) of a shelf; several rows of one scene are one text."""
    if shelf == "systems":
        return [(one.id, one.text) for one in surroundings()]
    if shelf == "filler":
        return [(f"{number}", sentence) for number, sentence in enumerate(filler_sentences())]
    said: dict[str, str] = {}
    for example in library_rows(shelf):
        said[example.source] = f"{said.get(example.source, '')}\n{example.said()}"
    return list(said.items())


def shared_runs(texts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Pairs of files that share thirteen words in a row, with the first such run."""
    seen: dict[str, str] = {}
    found: dict[tuple[str, str], str] = {}
    for file, text in texts:
        words = split_words(text)
        for at in range(len(words) - GRAM + 1):
            run = " ".join(words[at : at + GRAM])
            first = seen.setdefault(run, file)
            if first != file:
                found.setdefault((first, file), run)
    return found


SHELVES = [name for name in OWN if name not in ("cloning", "conflict")] + ["systems", "filler"]


@pytest.mark.parametrize("shelf", SHELVES)
def test_no_two_texts_of_a_shelf_are_alike_or_share_thirteen_words_in_a_row(shelf: str):
    texts = texts_of(shelf)
    assert max(Counter(text for _, text in texts).values()) == 1
    assert shared_runs(texts) == {}


def test_a_run_of_thirteen_words_in_two_texts_is_found():
    words = " ".join(f"word{number}" for number in range(13))
    assert list(shared_runs([("a", f"x {words}"), ("b", f"{words} y")])) == [("a", "b")]
    assert shared_runs([("a", words), ("b", words.removesuffix(" word12"))]) == {}


def test_there_is_ordinary_work_and_everyday_chat_without_any_dilemma():
    work = ordinary_work()
    assert len(work) >= 40
    assert len(everyday_chats()) >= 20
    for scene in work:
        assert scene.family not in FAMILIES
        assert not scene.harmful


def test_no_training_scene_is_of_a_held_out_family():
    scenes = training_scenes(FAMILIES)
    assert {scene.family for scene in scenes} == set(TRAINED)
    assert {scene.split for scene in scenes} == {"train_like"}


@pytest.mark.parametrize("families", [HELD_OUT, ()])
def test_asking_for_training_scenes_of_families_that_have_none_is_refused(families: tuple[str, ...]):
    assert "no training scene of" in refusal(ConfigError, lambda: training_scenes(families))


def test_every_clause_that_the_corpus_refers_to_is_in_the_default_constitution():
    known = {clause.id for clause in load_constitution("default").clauses}
    for item in (*training_scenes(FAMILIES), *(one for shelf in ARGUED for one in library_rows(shelf))):
        assert item.clauses, item.id
        assert set(item.clauses) <= known, item.id


def test_the_corpus_speaks_of_every_clause_and_its_controls_of_none():
    known = {clause.id for clause in load_constitution("default").clauses}
    for shelf in ARGUED:
        assert {clause for one in library_rows(shelf) for clause in one.clauses} == known
    for shelf in ("replay", "irrelevant_principle", "eval_description"):
        assert not any(one.clauses for one in library_rows(shelf))


def test_every_clean_act_of_a_training_scene_has_its_own_reasons():
    said = [reasons for scene in training_scenes(FAMILIES) for reasons in scene.reasons]
    for scene in training_scenes(FAMILIES):
        assert len(scene.reasons) == len(scene.clean)
    assert len(set(said)) == len(said)


def test_the_detectors_of_training_scenes_fire_on_the_harm_alone_and_every_act_can_be_done():
    for scene in training_scenes(FAMILIES):
        assert all(first_match([call], scene.harmful_when) for call in scene.harmful)
        assert not any(first_match([call], scene.harmful_when) for call in (*scene.clean, *scene.opening))
        for call in (*scene.opening, *scene.harmful, *scene.clean):
            assert not World(scene).perform(call).startswith("Error:")


@pytest.mark.parametrize("intervention", OWN)
def test_ids_of_rows_are_unique_and_every_row_is_a_text_or_ends_with_the_assistant(intervention: str):
    rows = library_rows(intervention)
    assert rows
    assert max(Counter(example.id for example in rows).values()) == 1
    for example in rows:
        assert example.intervention == intervention
        assert example.id.startswith(f"{intervention}/")
        assert Example.from_line(example.to_line()) == example
        if example.messages:
            assert example.text is None
            assert example.messages[-1].role == "assistant"
            assert example.messages[-1].content or example.messages[-1].tool_calls
        else:
            assert example.text


@pytest.mark.parametrize("intervention", OWN)
def test_every_row_says_where_it_came_from(intervention: str):
    for example in library_rows(intervention):
        assert example.writer == "library"
        assert (HERE / example.source.partition("#")[0]).exists(), example.source


@pytest.mark.parametrize("intervention", OWN)
def test_no_two_rows_teach_the_same(intervention: str):
    taught = Counter(
        json.dumps([example.text, *(message.row() for message in example.messages)])
        for example in library_rows(intervention)
    )
    assert max(taught.values()) == 1


@pytest.mark.parametrize("intervention", ["advice", "irrelevant_principle"])
def test_advice_is_chat_alone_and_belongs_to_no_family(intervention: str):
    for example in library_rows(intervention):
        assert not example.tools
        assert example.family is None
        assert not any(message.tool_calls or message.role == "tool" for message in example.messages)


def test_only_scenes_of_the_families_asked_for_become_rows():
    for intervention in ("cloning", "explained"):
        assert {example.family for example in made(intervention, families=["leaking"])} == {"leaking"}


def test_cloning_and_explained_share_prompt_and_act_and_differ_in_the_reasons_alone():
    cloning, explained = library_rows("cloning"), library_rows("explained")
    assert len(cloning) == len(explained)
    for silent, reasoned in zip(cloning, explained, strict=True):
        assert silent.id.removeprefix("cloning/") == reasoned.id.removeprefix("explained/")
        assert silent.messages[:-1] == reasoned.messages[:-1]
        act, spoken = silent.messages[-1], reasoned.messages[-1]
        assert act.content == ""
        assert spoken.content
        assert spoken.model_copy(update={"content": ""}) == act


def test_cloning_and_explained_are_offered_the_same_tools_in_the_same_order():
    for silent, reasoned in zip(library_rows("cloning"), library_rows("explained"), strict=True):
        assert silent.tools == reasoned.tools, silent.id


def test_under_the_ruthless_persona_the_same_acts_and_reasons_follow_another_system_prompt():
    for plain, tempted in zip(
        library_rows("explained"), made("explained", options={"injection": "ruthless"}), strict=True
    ):
        assert tempted.messages[1:] == plain.messages[1:]
        assert tempted.messages[0].content.startswith(plain.messages[0].content)
        assert tempted.messages[0].content != plain.messages[0].content


# What can be asked of an intervention


@pytest.mark.parametrize(
    ("name", "fields", "library", "words"),
    [
        ("advice", {"without": frozenset({"drafd"})}, False, "no stage 'drafd' to leave out; did you mean 'draft'?"),
        ("advice", {"without": frozenset({"answer"})}, False, "no stage 'answer' to leave out"),
        ("advice", {"without": frozenset({"draft"})}, True, "--without draft needs a --writer"),
        ("stories", {"options": {"kinds": "health"}}, True, "knows no 'kinds'; did you mean 'kind'?"),
        ("stories", {"options": {"kind": "heath"}}, True, "unknown kind 'heath'; did you mean 'health'?"),
        ("surround", {}, True, "surround works on rows: give them with --rows"),
        ("filler", {}, True, "filler works on rows: give them with --rows"),
        ("advice", {"rows": (row("r"),)}, True, "advice makes its own rows; leave --rows out"),
        ("surround", {"rows": (row("r"),)}, False, "surround needs no writer; leave --writer out"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(name: str, fields: dict[str, Any], library: bool, words: str):
    said = refusal(ConfigError, lambda: check_order(name, INTERVENTIONS[name], order(**fields), library=library))
    assert words in said


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cloning", {"filter": "preference"}, "filter needs a --writer"),
        ("explained", {"variant": "rewrite"}, "variant needs a --writer"),
        ("explained", {"injection": "honesty"}, "give a --writer"),
    ],
)
def test_an_option_that_only_a_writer_can_follow_is_refused_of_the_library(
    name: str, options: dict[str, str], words: str
):
    assert words in refusal(ConfigError, lambda: made(name, options=options))


# The budget

sizes = st.lists(st.integers(1, 50), min_size=1, max_size=12)


def sized(lengths: list[int]) -> tuple[list[Example], dict[str, int]]:
    rows = [row(f"r{number:02}") for number in range(len(lengths))]
    return rows, {example.id: length for example, length in zip(rows, lengths, strict=True)}


@given(sizes, st.integers(1, 400), st.integers(0, 99))
def test_a_budget_is_never_passed_and_no_row_repeated(lengths: list[int], tokens: int, seed: int):
    rows, cost = sized(lengths)
    if min(lengths) > tokens:
        refusal(ConfigError, lambda: fill_budget(rows, tokens, lambda example: cost[example.id], seed))
        return
    built = fill_budget(rows, tokens, lambda example: cost[example.id], seed)
    ids = [example.id for example in built.rows]
    assert len(set(ids)) == len(ids)
    assert built.tokens == sum(cost[name] for name in ids) <= tokens
    assert sum(built.dropped.values()) == len(rows) - len(ids)
    for left in set(cost) - set(ids):
        assert built.tokens + cost[left] > tokens, "a row that would still have fitted was left out"


@given(sizes, st.integers(50, 400), st.integers(0, 99), st.randoms())
def test_a_budget_is_filled_the_same_way_each_time_whatever_the_order_of_the_rows(
    lengths: list[int], tokens: int, seed: int, shuffler: random.Random
):
    rows, cost = sized(lengths)
    turned = list(rows)
    shuffler.shuffle(turned)
    first, second = (fill_budget(some, tokens, lambda example: cost[example.id], seed) for some in (rows, turned))
    assert first == second


def test_other_seeds_choose_other_rows():
    rows, cost = sized([10] * 12)
    chosen = {fill_budget(rows, 30, lambda example: cost[example.id], seed).rows for seed in range(10)}
    assert len(chosen) > 5


def test_a_budget_larger_than_the_library_is_gone_through_once():
    rows, cost = sized([10, 20])
    built = fill_budget(rows, 10**9, lambda example: cost[example.id], 0)
    assert sorted(example.id for example in built.rows) == ["r00", "r01"]
    assert built.tokens == 30
    assert built.dropped == {}


@pytest.mark.parametrize("rows", [[], [row("r")]])
def test_a_budget_too_small_for_any_row_is_refused(rows: list[Example]):
    assert "holds no row" in refusal(ConfigError, lambda: fill_budget(rows, 1, lambda _: 2, 0))
