"""The health of rows: what makes them unfit is found in the right row, and the figures are right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bells import BROKEN, CLEAN, HELD_OUT, MEASURED, Row, call, chat, prose, said, write
from teachwhy import evals
from teachwhy.constitution import load_constitution
from teachwhy.core.grams import GRAM
from teachwhy.core.markdown import CANARY
from teachwhy.evals.registry import EVALS
from teachwhy.interventions import INTERVENTIONS, Order
from teachwhy.lab.dataset import ROWS, to_row
from teachwhy.lab.health.check import check
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.lab.health.figures import RULES, Health
from teachwhy.lab.health.phrases import mentions_of_testing, stock_phrases
from teachwhy.worlds.scenes import FAMILIES

Find = Callable[..., Health]


@pytest.fixture
def health(tmp_path: Path) -> Find:
    """The health of rows given one by one."""

    def find(*rows: Row | str, **options: Any) -> Health:
        path = write(tmp_path / "given.jsonl", rows)
        return check(path, load_constitution("default"), HELD_OUT, **options)

    return find


def test_every_hard_rule_is_tried():
    assert set(BROKEN) == set(RULES)


@pytest.mark.parametrize(("rule", "row"), [(rule, row) for rule, rows in BROKEN.items() for row in rows])
def test_a_broken_rule_is_found_in_the_right_row_and_no_other_rule_is(health: Find, rule: str, row: Row | str):
    found = health(*CLEAN, row, said("The last bell."))
    assert not found.fit
    assert [breach.rule for breach in found.breaches] == [rule]
    assert [one.row for one in found.breaches[0].rows] == ["given.jsonl:4"]
    assert found.rows == (4 if rule == "unreadable" else 5)


@pytest.mark.parametrize(
    "row",
    [
        said(" ".join(MEASURED[: GRAM - 1])),
        chat("<think>Which?</think>Noon."),
        {"prompt": [{"role": "user", "content": "Which?"}]},
        chat("Noon.") | {"family": "leaking"},
        chat("Noon.") | {"tools": json.dumps([{"name": "send", "description": "Sends."}])},
        call("not json"),
        call({}),
        said("Half of a character: \ud83d, and on."),
    ],
)
def test_what_is_near_a_rule_but_not_over_it_is_fit(health: Find, row: Row):
    assert health(row).fit


def test_the_library_is_fit(tmp_path: Path):
    families = tuple(family for family in FAMILIES if family not in HELD_OUT)
    order = Order(families=families, constitution=load_constitution("default"), tokens=10**9, count=lambda _: 1)
    sources = [one.library for one in INTERVENTIONS.values() if one.library is not None and one.rows != "changed"]
    rows = [to_row(example) for library in sources for example in library(order)]
    found = check(write(tmp_path / ROWS, rows), load_constitution("default"), HELD_OUT)
    assert found.breaches == ()
    assert found.rows == len(rows)
    assert found.clauses is not None
    assert found.clauses.unknown == ()


def test_every_eval_hands_over_its_text():
    folders = {task.parent.name for task in Path(str(evals.__file__)).parent.glob("*/task.py")}
    assert set(EVALS) >= folders > set()
    assert {name.partition("/")[0] for name in all_measured_text()} == {*EVALS, "gold"}


def test_a_users_own_items_are_measured_text_too(tmp_path: Path) -> None:
    (tmp_path / "beliefs").mkdir()
    (tmp_path / "beliefs" / "candour.md").write_text("Should one tell the widow?", encoding="utf-8")
    own = all_measured_text(str(tmp_path))
    assert own == {**all_measured_text(), "items/beliefs/candour.md": "Should one tell the widow?"}


def test_every_text_of_ours_that_is_measured_carries_the_canary():
    ours = {name: text for name, text in all_measured_text().items() if not name.startswith("public/")}
    assert [name for name, text in ours.items() if CANARY not in text] == []


def test_exact_duplicates_are_counted_whatever_their_form(health: Find):
    found = health(said("Noon, and rain.", id="a"), said("noon and  RAIN", id="b"), said("Rain.", id="c"))
    assert found.duplicates.exact_groups == (("a", "b"),)
    assert found.duplicates.exact_surplus == 1


def naive_similarity(one: str, other: str) -> float:
    left, right = ({tuple(text.split()[at : at + 5]) for at in range(len(text.split()) - 4)} for text in (one, other))
    return len(left & right) / len(left | right)


def test_near_duplicates_are_found_with_their_similarity_and_others_are_not(health: Find):
    texts = {f"plain-{seed}": prose(seed) for seed in range(60)}
    for seed in range(30):
        words = prose(seed).split()
        for at in range(seed % 5):
            words[20 * at + 5] = "other"
        texts[f"near-{seed}"] = " ".join(["so", *words])
    found = health(*(said(text, id=name) for name, text in texts.items())).duplicates
    alike = {f"{seed}" for seed in range(30) if naive_similarity(texts[f"plain-{seed}"], texts[f"near-{seed}"]) >= 0.8}
    assert 10 < len(alike) < 30
    assert {pair.first.removeprefix("plain-") for pair in found.near_pairs} == alike
    for pair in found.near_pairs:
        assert pair.similarity == pytest.approx(naive_similarity(texts[pair.first], texts[pair.second]), abs=1e-4)
    assert found.near_groups == found.near_surplus == len(alike)
    assert found.near_rows == 2 * len(alike)
    assert found.largest_near_group == 2


def test_rows_that_share_a_system_prompt_alone_are_no_duplicates(health: Find):
    rows = [chat(prose(seed, 30), system=prose(99, 400)) for seed in range(4)]
    assert health(*rows).duplicates.near_groups == 0
    rows = [chat(prose(1, 30), system=prose(seed, 400)) for seed in range(4)]
    assert health(*rows).duplicates.largest_near_group == 4


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=9), min_size=1, max_size=12))
def test_distinct_n_and_openings_are_as_counted_by_hand(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]]
):
    path = write(tmp_path_factory.mktemp("h") / "given.jsonl", [said(" ".join(words)) for words in texts])
    diversity = check(path, load_constitution("default"), HELD_OUT).diversity
    for one in diversity.distinct:
        runs = [tuple(words[at : at + one.n]) for words in texts for at in range(len(words) - one.n + 1)]
        assert (one.runs, one.distinct, one.sampled) == (len(runs), len(set(runs)), False)
    assert diversity.texts == len(texts)
    openings = {tuple(words[:5]) for words in texts}
    assert {one.what: one.rows for one in diversity.openings} == {
        " ".join(opening): times for opening, times in Counter(tuple(words[:5]) for words in texts).items() if times > 1
    }
    assert diversity.distinct_openings == round(len(openings) / len(texts), 4)


def test_common_runs_count_rows_and_not_occurrences(health: Find):
    found = health(said("the bell rings at noon. The bell rings at dusk"), said("So the bell rings at one"), said("So"))
    assert [(one.what, one.rows) for one in found.common_runs] == [("the bell rings at", 2)]
    assert found.common_runs[0].per_10k == pytest.approx(6666.7)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Well, it’s important to ring it.", "it's important to"),
        ("IT'S IMPORTANT TO ring it.", "it's important to"),
        ("Sarah Chen rang it.", "Sarah Chen"),
        ("It was not just a bell but a voice.", "not just X but Y"),
        ("The bell isn’t just old — it's a voice.", "not just X but Y"),
        ("A rich tapestry of bells.", "rich tapestry"),
    ],
)
def test_stock_phrases_are_found_in_what_is_trained_on(health: Find, text: str, name: str):
    found = health(chat(text), chat("Noon.", asked=text), said("Noon."))
    assert {one.what: one.rows for one in found.stock}[name] == 1


@pytest.mark.parametrize(
    "text", ["It is not just. But it rings.", "Not just now.", "importantly, to ring", "a chen, sarah"]
)
def test_what_only_resembles_a_stock_phrase_is_not_one(health: Find, text: str):
    assert health(said(text)).stock == ()


@pytest.mark.parametrize("phrases", [stock_phrases().phrases, mentions_of_testing().phrases])
def test_the_lists_name_every_phrase_once(phrases: Sequence[Any]):
    assert len(phrases) >= 60
    assert [name for name, times in Counter(phrase.name for phrase in phrases).items() if times > 1] == []


def test_lengths_are_tokens_where_rows_say_them_and_words_else(health: Find):
    rows = [said(prose(size, size), tokens=2 * size) for size in range(1, 101)]
    found = health(*rows, max_length=190).lengths
    assert (found.unit, found.total, found.smallest, found.largest) == ("tokens", 10_100, 2, 200)
    assert found.quartiles == (50, 100, 150)
    assert (found.p95, found.above) == (190, 5)
    assert health(*({"text": row["text"]} for row in rows)).lengths.quartiles == (25, 50, 75)


def test_clauses_without_rows_and_clauses_that_are_not_there_are_named(health: Find):
    ids = [clause.id for clause in load_constitution("default").clauses]
    found = health(said("a b", clauses=ids[1:]), said("b c", clauses=[ids[1], "no-such-clause"])).clauses
    assert found is not None
    assert found.rows[ids[1]] == 2
    assert found.without_rows == (ids[0],)
    assert found.unknown == ("no-such-clause",)
    assert health(said("a b")).clauses is None
