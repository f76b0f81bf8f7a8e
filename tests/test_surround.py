"""What surrounds rows, what controls an arm, what contradicts: built from the library, proved on the rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conftest import library_rows, refusal
from orders import FAMILIES, constitution, words
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Message
from teachwhy.interventions import INTERVENTIONS, Built, Order
from teachwhy.interventions.advice.build import advice_rows
from teachwhy.interventions.explained.build import explained_rows
from teachwhy.interventions.library.shelf import bare_answers, stories
from teachwhy.interventions.surround.build import prove_unchanged, surround_rows
from teachwhy.lab.build import Request, build

PLAIN = Order(families=FAMILIES, constitution=constitution(), tokens=10**6, count=words)


@cache
def arm(name: str) -> tuple[Example, ...]:
    rows = {"advice": advice_rows, "explained": explained_rows}[name](PLAIN)[:20]
    return tuple(row.model_copy(update={"tokens": words(row)}) for row in rows)


def built(name: str, rows: tuple[Example, ...], **options: str) -> Built:
    return build(Request(name, replace(PLAIN, rows=rows, options=options), None), Path())[0]


def users(row: Example) -> list[str]:
    return [turn.content for turn in row.messages if turn.role == "user"]


@pytest.fixture(scope="module")
def many() -> tuple[Example, ...]:
    rows = [*advice_rows(PLAIN), *explained_rows(PLAIN)]
    return tuple(
        rows[number % len(rows)].model_copy(update={"id": f"{rows[number % len(rows)].id}/{number}"})
        for number in range(10_000)
    )


def test_of_ten_thousand_rows_no_user_turn_changes_and_no_added_tool_is_called(many: tuple[Example, ...]):
    order = replace(PLAIN, rows=many, options={"share": "0.5"})
    rows = surround_rows(order)
    assert [users(row) for row in rows] == [users(row) for row in many]
    assert sum(row.stage == "surround" for row in rows) == 5_000
    proof = prove_unchanged(order, rows)
    assert (proof["rows"], proof["user_turns_changed"], proof["added_tools_called"]) == (10_000, 0, 0)
    assert proof["user_turns_sha256_before"] == proof["user_turns_sha256_after"]


def test_every_surrounded_row_gains_tools_and_has_a_system_prompt_and_keeps_its_own():
    for before, after in zip(arm("advice"), built("surround", arm("advice")).rows, strict=True):
        assert len(after.tools) > len(before.tools)
        assert after.messages[0].role == "system"
        if before.messages[0].role == "system":
            assert after.messages == before.messages
        else:
            assert after.messages[1:] == before.messages
        names = [tool["function"]["name"] for tool in after.tools]
        assert len(set(names)) == len(names)


def test_what_surrounds_a_row_is_decided_by_the_seed_and_varies():
    first, again = built("surround", arm("advice")), built("surround", arm("advice"))
    assert first == again
    assert len({row.messages[0].content for row in first.rows}) > 10
    other = surround_rows(replace(PLAIN, rows=arm("advice"), seed=1))
    assert [row.tools for row in other] != [row.tools for row in first.rows]


@pytest.mark.parametrize("share", [0.1, 0.33, 0.5, 0.9])
def test_exactly_the_share_of_the_talks_is_surrounded_whatever_their_order_or_ids(share: float):
    talks = [row.model_copy(update={"id": f"{number % 7}"}) for number, row in enumerate(arm("advice") * 3)]
    texts = stories("Ada", "its makers")[:5]
    for rows in ([*talks, *texts], [*texts, *reversed(talks)]):
        around = surround_rows(replace(PLAIN, rows=tuple(rows), options={"share": f"{share}"}))
        assert sum(row.stage == "surround" for row in around) == round(share * 60)
        assert [users(row) for row in around] == [users(row) for row in rows]


def test_which_rows_are_surrounded_and_with_what_does_not_depend_on_their_order():
    rows = replace(PLAIN, rows=arm("advice"), options={"share": "0.5"})
    turned = replace(rows, rows=arm("advice")[::-1])
    assert surround_rows(turned)[::-1] == surround_rows(rows)


def test_documents_and_prompts_without_an_answer_pass_through():
    text = stories("Ada", "its makers")[0]
    prompt = Example(
        id="p", intervention="own", messages=(Message(role="user", content="Hm?"),), writer="w", source="s"
    )
    around_text, around_prompt = surround_rows(replace(PLAIN, rows=(text, prompt)))
    assert around_text == text
    assert users(around_prompt) == ["Hm?"]
    assert around_prompt.tools


def test_a_changed_user_turn_or_a_call_of_an_added_tool_is_found_out():
    order = replace(PLAIN, rows=arm("advice"))
    rows = surround_rows(order)
    place = next(at for at, turn in enumerate(rows[0].messages) if turn.role == "user")
    turns = list(rows[0].messages)
    turns[place] = turns[place].model_copy(update={"content": turns[place].content + " "})
    assert "changed 1 user turns" in refusal(
        ConfigError, lambda: prove_unchanged(order, [rows[0].model_copy(update={"messages": tuple(turns)}), *rows[1:]])
    )
    call: dict[str, Any] = {
        "type": "function",
        "function": {"name": rows[0].tools[0]["function"]["name"], "arguments": {}},
    }
    called = rows[0].messages[-1].model_copy(update={"tool_calls": (call,)})
    tampered = rows[0].model_copy(update={"messages": (*rows[0].messages[:-1], called)})
    assert "added 1 tools" in refusal(ConfigError, lambda: prove_unchanged(order, [tampered, *rows[1:]]))


@pytest.mark.parametrize("share", ["0", "1.5", "half", "-1"])
def test_a_share_that_is_none_is_refused(share: str):
    assert "is no share" in refusal(ConfigError, lambda: built("surround", arm("advice"), share=share))


def test_stripped_of_their_reasons_agents_act_and_advisers_say_what_to_do():
    for row, full in zip(built("stripped_reasons", arm("explained")).rows, arm("explained"), strict=False):
        assert row.messages[-1].content == ""
        assert row.messages[-1].tool_calls == full.messages[-1].tool_calls
        assert row.messages[:-1] == full.messages[:-1]
    for row, full in zip(built("stripped_reasons", arm("advice")).rows, arm("advice"), strict=False):
        assert row.messages[-1].content == bare_answers()[full.id]


@pytest.mark.parametrize("name", ["advice", "explained"])
def test_the_room_that_reasons_leave_is_filled_with_further_rows_of_the_same_make(name: str):
    made = built("stripped_reasons", arm(name))
    assert len(made.rows) > len(arm(name))
    sources = [row.source for row in made.rows]
    assert len(set(sources)) == len(sources)
    assert {source.partition("/")[0] for source in sources} == {name}
    total = sum(map(words, arm(name)))
    assert 0.98 * total <= sum(map(words, made.rows)) <= total
    assert made.notes["share_matched"] >= 0.98


@pytest.mark.parametrize("name", ["replay", "irrelevant_principle", "eval_description"])
def test_a_control_that_makes_its_own_rows_is_matched_within_its_budget(name: str):
    total = sum(map(words, arm("advice")))
    made, _ = build(Request(name, replace(PLAIN, rows=arm("advice"), tokens=total), None), Path())
    left = total - made.tokens
    assert 0 <= left < min(row.tokens for row in library_rows(name))
    assert made.notes == {
        "rows_of_the_arm": 20,
        "tokens_of_the_arm": total,
        "share_matched": round(made.tokens / total, 3),
    }
    assert {row.intervention for row in made.rows} == {name}


@pytest.mark.parametrize("name", ["advice", "explained"])
def test_filler_is_as_long_as_what_it_stands_for_and_says_none_of_it(name: str):
    rows = built("filler", arm(name)).rows
    for row, full in zip(rows, arm(name), strict=True):
        assert abs(words(row) - words(full)) <= 12
        assert row.messages[-1].tool_calls == full.messages[-1].tool_calls
        assert full.messages[-1].content not in row.messages[-1].content
    total = sum(map(words, arm(name)))
    assert abs(sum(map(words, rows)) - total) <= 0.02 * total


@pytest.mark.parametrize("name", ["stripped_reasons", "filler"])
def test_rows_without_an_answer_or_a_bare_one_are_refused(name: str):
    text = stories("Ada", "its makers")[:1]
    assert "no reasons to strip" in refusal(ConfigError, lambda: built(name, tuple(text)))
    own = arm("advice")[0].model_copy(update={"id": "mine"})
    assert "give a --writer" in refusal(ConfigError, lambda: built(name, (own,)))


def test_two_in_a_hundred_rows_contradict_and_are_marked():
    many = tuple(row.model_copy(update={"id": f"{row.id}/{n}"}) for n in range(10) for row in arm("advice"))[:196]
    rows = built("conflict", many).rows
    marked = [row for row in rows if row.intervention == "conflict"]
    assert rows[:196] == many
    assert len(marked) / len(rows) == pytest.approx(0.02)
    assert all(row.id.startswith("conflict/") for row in marked)


def test_more_conflict_than_there_is_is_refused():
    assert "raise --tokens" in refusal(ConfigError, lambda: built("conflict", arm("advice") * 50, share="0.9"))


def test_every_intervention_says_what_it_is_and_whatever_needs_rows_asks_for_them():
    for name, one in INTERVENTIONS.items():
        assert one.about
        if one.rows == "changed":
            assert "give them with --rows" in refusal(ConfigError, lambda name=name: build_checked(name))


def build_checked(name: str) -> None:
    from teachwhy.lab.build import check_request

    check_request(Request(name, PLAIN, None))
