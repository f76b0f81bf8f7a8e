"""The guard: nothing that is measured is trained on."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal, row
from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import CANARY
from teachwhy.core.records import Call, Example, Message, Tool
from teachwhy.evals.honeypots.suite import measured_text
from teachwhy.interventions import INTERVENTIONS, Order
from teachwhy.lab.guard import GRAM, guard
from teachwhy.organisms import ORGANISMS
from teachwhy.worlds.scenes import FAMILIES

HELD_OUT = ("blackmail", "research_sabotage", "framing")
CANARY_ID = CANARY.partition(":")[0]
STORY = "The ferry leaves at nine, and whoever weighs the ballast signs for every stone that is aboard it."
MEASURED = {"framing/ferry.md": f"---\nfamily: framing\n---\n# User\n{STORY}\n"}
WORDS = re.findall(r"\w+", STORY)


@cache
def measured() -> dict[str, str]:
    return measured_text()


def refused(example: Example) -> str:
    said = refusal(ConfigError, lambda: guard([row("good"), example], MEASURED, HELD_OUT))
    assert f"row {example.id} " in said
    assert "take it out" in said
    return said


@pytest.mark.parametrize("text", [CANARY, CANARY.upper(), f"see also: {CANARY_ID} …"])
def test_a_row_that_carries_the_canary_is_refused_by_name(text: str):
    assert "canary" in refused(row("bad", f"Well. {text}"))


@pytest.mark.parametrize("family", HELD_OUT)
def test_a_row_of_a_held_out_family_is_refused_by_name(family: str):
    assert f"held-out family {family!r}" in refused(row("bad", family=family))
    guard([row("bad", family=family)], MEASURED, held_out=())


@pytest.mark.parametrize(
    "text",
    [
        STORY,
        STORY.upper(),
        " -- ".join(WORDS),
        "\n".join(WORDS),
        f"before {' '.join(WORDS[2:15])} after",
    ],
)
def test_thirteen_shared_words_are_refused_whatever_stands_between_them(text: str):
    said = refused(row("bad", text))
    assert "shares 13 words with framing/ferry.md" in said


@given(st.integers(1, len(WORDS)), st.integers(0, len(WORDS) - 1))
def test_thirteen_words_are_too_many_and_twelve_are_not(length: int, start: int):
    shared = WORDS[start : start + length]
    example = row("bad", " ".join(["something", *shared, "else"]))
    if len(shared) >= GRAM:
        refused(example)
    else:
        guard([example], MEASURED, HELD_OUT)


@pytest.mark.parametrize("role", ["system", "user", "tool", "assistant"])
def test_measured_text_is_found_in_every_turn(role: str):
    message = Message.model_validate({"role": role, "content": STORY})
    refused(row("bad").model_copy(update={"messages": (message,)}))


def test_measured_text_is_found_in_calls_in_documents_and_in_what_is_said_of_tools():
    call = Message(role="assistant", tool_calls=(Call(tool="send", args={"text": STORY}).entry(),))
    refused(row("bad").model_copy(update={"messages": (call,)}))
    refused(row("bad").model_copy(update={"messages": (), "text": STORY}))


def test_measured_text_is_found_in_the_descriptions_of_tools():
    tool = Tool(name="send", does="mail.send", about=STORY).schema_()
    refused(row("bad").model_copy(update={"tools": (tool,)}))


@pytest.mark.parametrize("intervention", [name for name, one in INTERVENTIONS.items() if one.rows != "changed"])
def test_the_library_passes_against_the_real_suite(intervention: str):
    trained = tuple(family for family in FAMILIES if family not in HELD_OUT)
    order = Order(families=trained, constitution=load_constitution("default"), tokens=10**9, count=lambda _: 1)
    library = INTERVENTIONS[intervention].library
    assert library is not None
    guard(library(order), measured(), HELD_OUT)


@pytest.mark.parametrize(
    ("name", "number"), [(name, at) for name in ORGANISMS for at in range(len(ORGANISMS[name].stages))]
)
def test_what_an_organism_was_raised_on_passes_too(name: str, number: int):
    rows = ORGANISMS[name].stages[number].rows()
    assert len(rows) > 100
    guard(rows, measured(), held_out=())


@pytest.mark.parametrize("file", sorted(measured())[::10])
def test_a_row_made_of_a_real_measured_file_is_refused(file: str):
    body = measured()[file].split("\n---\n", 1)[1]
    said = refusal(ConfigError, lambda: guard([row("bad", body)], measured(), HELD_OUT))
    assert "row bad shares 13 words" in said
