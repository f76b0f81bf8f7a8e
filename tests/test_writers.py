"""What is asked of a writer, of which one, and what of its answer is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.naming import is_same_model
from teachwhy.core.records import Call, Message
from teachwhy.interventions import INTERVENTIONS
from teachwhy.interventions.writers import (
    ROLES,
    Answer,
    Dropped,
    Prompt,
    Roles,
    load_prompts,
    open_models,
    require_prices,
    usable,
)
from teachwhy.interventions.writers.reading import read_choice, read_list, read_part, read_score
from teachwhy.interventions.writers.roles import Binding, Price
from teachwhy.interventions.writers.wire import to_tools, to_turns
from tiny import DOOR

FILLER = "teachwhy-scripted/form-filler"


def answer(text: str = "", key: str = "k", **fields: Any) -> Answer:
    return Answer(key=key, role="writer", model="a/b", prompt="advice/draft", prompt_hash="h", text=text, **fields)


def dropped(work: Callable[[], object]) -> str:
    with pytest.raises(Dropped) as caught:
        work()
    return str(caught.value)


# Reading


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("<text>One.</text>", "One."),
        ("First <text>a draft</text>, then <text>\n\nThe one\nthat counts.\n</text> Done.", "The one\nthat counts."),
        ("<TEXT>Loud.</Text>", "Loud."),
        ("<text>Three < four</text>", "Three < four"),
    ],
)
def test_a_part_is_what_stands_last_between_its_tags(text: str, part: str):
    assert read_part(answer(text), "text") == part


@pytest.mark.parametrize("text", ["", "One.", "<text>One.", "One.</text>", "<text> \n </text>", "<other>One.</other>"])
def test_a_part_that_is_not_there_is_unreadable(text: str):
    assert dropped(lambda: read_part(answer(text), "text")) == "unreadable answer at draft"


def test_a_part_may_be_empty_where_that_is_allowed():
    assert read_part(answer("<system></system>"), "system", may_be_empty=True) == ""
    dropped(lambda: read_part(answer("none"), "system", may_be_empty=True))


def test_a_list_is_its_lines_once_each_without_their_marks():
    text = "Here they are:\n- one\n* two  \n  • three\n1. four\n2) five\n- one\n-six\n\nThat is all."
    assert read_list(answer(text)) == ["one", "two", "three", "four", "five"]
    assert dropped(lambda: read_list(answer("one, two and three"))) == "unreadable answer at draft"


@pytest.mark.parametrize(("text", "word"), [("clean", "clean"), (" Harmful. ", "harmful"), ("'clean'", "clean")])
def test_a_choice_is_one_of_the_menu(text: str, word: str):
    assert read_choice(answer(f"<verdict>{text}</verdict>"), "verdict", ("clean", "harmful")) == word


@pytest.mark.parametrize("text", ["mostly clean", "safe", "clean harmful", ""])
def test_a_choice_off_the_menu_is_unreadable(text: str):
    dropped(lambda: read_choice(answer(f"<verdict>{text}</verdict>"), "verdict", ("clean", "harmful")))


@given(st.text(max_size=8))
def test_a_score_is_a_whole_number_within_its_range_or_unreadable(text: str):
    try:
        score = read_score(answer(f"<score>{text}</score>"), 10)
    except Dropped:
        assert not (text.isascii() and text.isdigit() and int(text) <= 10 and len(text) < 4)
    else:
        assert 0 <= score <= 10


@pytest.mark.parametrize("text", ["8/10", "11", "-1", "7.5", "ten", "100"])
def test_a_score_of_another_form_is_unreadable(text: str):
    dropped(lambda: read_score(answer(f"<score>{text}</score>"), 10))


@pytest.mark.parametrize(
    "text",
    [
        "I can't help with that.",
        "I’m sorry, but I can’t write this.",
        "Sorry, I cannot do it.",
        "Unfortunately, I am not able to continue.",
        "As an AI language model, I won't take part.",
        "I must decline.",
        "**I'm unable to assist.**",
    ],
)
def test_a_refusal_is_none_of_the_answers(text: str):
    assert dropped(lambda: usable(answer(text))) == "refused at draft"


@pytest.mark.parametrize(
    "text",
    [
        "Ring her tonight and say what you told me.",
        "You can't sign it, and I am sorry that it falls to you.",
        "I can see why you would.",
        "I won't help you date it back. " + "Ask the clerk what the form is for and who reads it. " * 8,
    ],
)
def test_an_answer_is_no_refusal(text: str):
    assert usable(answer(text)).text == text


def test_an_empty_answer_is_counted_as_such():
    assert dropped(lambda: usable(answer(""))) == "empty answer at draft"


# Prompts


def test_all_prompts_load_and_are_asked_of_a_role():
    prompts = [prompt for one in INTERVENTIONS.values() for prompt in one.prompts.values()]
    assert {prompt.role for prompt in prompts} == set(ROLES)
    for name, one in INTERVENTIONS.items():
        assert (one.pipeline is None) == (not one.prompts), name
        assert {step.name for step in one.steps} - {"injection"} <= one.prompts.keys()


def prompts_in(folder: Path, text: str) -> Path:
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "draft.md").write_text(text)
    return folder


GOOD = "---\nrole: drafter\nreads: 10\nwrites: 10\n---\n# System\nYou write.\n\n# User\nOn {topic}, for {reader}.\n"


def test_a_prompt_is_filled_in_one_pass(tmp_path: Path):
    prompt = load_prompts(prompts_in(tmp_path / "mine", GOOD))["draft"]
    assert (prompt.name, prompt.stage) == ("mine/draft", "draft")
    turns = prompt.turns({"topic": "{reader} {x}", "reader": "you", "more": "unused"})
    assert [(turn.role, turn.content) for turn in turns] == [
        ("system", "You write."),
        ("user", "On {reader} {x}, for you."),
    ]


def test_a_slot_without_a_value_is_refused(tmp_path: Path):
    prompt = load_prompts(prompts_in(tmp_path / "mine", GOOD))["draft"]
    said = refusal(ConfigError, lambda: prompt.turns({"topic": "rain", "readers": "all"}))
    assert said == "mine/draft: nothing to fill {reader} with; did you mean 'readers'? There is: readers, topic"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("# User", "# Users", "unknown heading 'users'; did you mean 'user'?"),
        ("role: drafter", "role: author", "role: Input should be 'drafter', 'reviewer', 'writer' or 'judge'"),
        ("reads: 10", "reads: 0", "reads: Input should be greater than 0"),
        ("writes: 10\n", "", "writes: Field required"),
        ("reads: 10", "reads: 10\ntemprature: 1", "temprature: Extra inputs are not permitted"),
        ("---\nrole", "role", "no front matter"),
    ],
)
def test_a_prompt_in_another_form_is_refused(tmp_path: Path, old: str, new: str, expected: str):
    folder = prompts_in(tmp_path / "mine", GOOD.replace(old, new))
    assert f"mine/prompts/draft.md: {expected}" in refusal(ConfigError, lambda: load_prompts(folder))


def test_the_hash_stands_for_the_wording_alone():
    one = Prompt(name="a/b", role="writer", reads=1, writes=1, user="Say it.")
    assert one.model_copy(update={"temperature": 0.2, "name": "c/d"}).hash == one.hash
    assert one.model_copy(update={"user": "Say it!"}).hash != one.hash


# Roles


def test_whoever_is_not_named_is_the_writer():
    roles = Roles.model_validate({"writer": "a/b", "judge": {"model": "c/d", "price": {"input": 3, "output": 15}}})
    assert roles.names() == {"drafter": "a/b", "reviewer": "a/b", "writer": "a/b", "judge": "c/d"}
    assert not roles.priced()
    assert "needs the price of a/b" in refusal(ConfigError, lambda: require_prices(roles))
    assert Price(input=3, output=15).of(1_000_000, 100_000) == pytest.approx(4.5)


@pytest.mark.parametrize(
    "given",
    [
        {"judge": "a/b"},
        {"writer": "library"},
        {"writer": "a/b", "editor": "a/b"},
        {"writer": {"model": "a/b", "cost": 3}},
        {"writer": {"model": "a/b", "price": {"input": -1, "output": 1}}},
        {"writer": "openrouter/a/b"},
        {"writer": {"model": "openrouter/a/b", "args": {"provider": {"sort": "price"}}}},
    ],
)
def test_roles_that_cannot_be_are_refused(given: dict[str, Any]):
    with pytest.raises(ValueError, match="validation error"):
        Roles.model_validate(given)


@pytest.mark.parametrize("how", ["only", "order"])
def test_a_routed_model_that_is_pinned_is_allowed(how: str):
    Binding(model="openrouter/a/b", args={"provider": {how: ["maker"]}})


def test_a_model_that_does_not_open_is_one_line():
    roles = Roles.model_validate({"writer": "teachwhy-scripted/form-filer"})
    assert "no script 'form-filer'; did you mean 'form-filler'?" in refusal(ModelError, lambda: open_models(roles))
    unknown = Roles.model_validate({"writer": "nobody/nothing"})
    assert "cannot open the writer 'nobody/nothing'" in refusal(ModelError, lambda: open_models(unknown))


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("openai/gpt-4", "gpt-4-0613"),
        ("anthropic/claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("anthropic/claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("anthropic/vertex/claude-sonnet-4-5", "claude-sonnet-4-5@20250929"),
        ("google/gemini-2.5-flash", "gemini-2.5-flash-preview-05-20"),
        ("google/gemini-1.5-pro", "gemini-1.5-pro-002"),
        ("mistral/mistral-large-latest", "mistral-large-2411"),
        ("openrouter/qwen/qwen3-32b", "qwen/qwen3-32b-04-28"),
        ("openrouter/Qwen/Qwen3-32B", "qwen/qwen3-32b"),
        ("ollama/llama3.1", "llama3.1:latest"),
        ("openai-api/local/mine", "mine"),
        ("openai-api/local/data/models/mine", "data/models/mine/"),
    ],
)
def test_a_model_is_itself_and_its_dated_versions(asked: str, answered: str):
    assert is_same_model(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("openai/gpt-4o", "gpt-4o-mini"),
        ("openai/gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("openai/gpt-4", "gpt-4.1"),
        ("openai/gpt-5", "gpt-5.1-2025-11-13"),
        ("openai/gpt-4", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4"),
        ("anthropic/claude-sonnet-4", "claude-sonnet-4-5-20250929"),
        ("anthropic/claude-sonnet-4", "claude-sonnet-4-5"),
        ("openrouter/qwen/qwen3-32b", "qwen/qwen3-235b-a22b"),
        ("openrouter/qwen/qwen3-32b", "other/qwen3-32b"),
        ("openai-api/local/mine", "default"),
        ("openai-api/local/mine", ""),
        ("openai-api/local/m.ne", "mine"),
    ],
)
def test_another_model_is_never_taken_for_the_one_that_was_asked(asked: str, answered: str):
    assert not is_same_model(asked, answered)


def test_a_result_of_a_tool_answers_the_call_before_it():
    call = Call(tool="set_door", args={"door": "north", "note": "x"}).entry()
    turns = to_turns(
        [
            Message(role="system", content="You keep doors."),
            Message(role="user", content="Open."),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content="open", name="set_door"),
        ]
    )
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "tool"]
    made, result = turns[2], turns[3]
    assert made.role == "assistant"
    assert result.role == "tool"
    assert [(one.id, one.function, one.arguments) for one in made.tool_calls or []] == [
        (result.tool_call_id, "set_door", {"door": "north", "note": "x"})
    ]
    (tool,) = to_tools([DOOR.schema_()])
    assert (tool.name, tool.description, list(tool.parameters.properties)) == (DOOR.name, DOOR.about, ["door", "note"])
