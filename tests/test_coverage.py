"""What training rows cover: rows of every form, every axis, shares, the gap to failing scenes, the nearest rows."""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.model import ModelOutput

from bench import ASKED, SAYS
from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import load_yaml
from teachwhy.core.shards import UnreadableRowError
from teachwhy.core.stats.rates import SMALL, interval
from teachwhy.diagnosis.coverage import Coverage, Share, cover, profile
from teachwhy.diagnosis.describe import UNCLEAR, about_axes, all_axes, describe, judged_axes
from teachwhy.diagnosis.gap import FEWEST, difference_interval, rank
from teachwhy.diagnosis.judged import judge_sample, read_levels
from teachwhy.diagnosis.nearest import nearest, situation_text
from teachwhy.diagnosis.phrases import Phrase, Searched, Vocabulary

LABELLED = Path(__file__).parent / "fixtures" / "labelled_rows.yaml"
USUAL = {
    "form": "chat",
    "system": "none",
    "tools": "none",
    "called": "none",
    "turns": "one",
    **dict.fromkeys(("goal", "conflict", "oversight", "self", "autonomy", "means"), "no"),
    "dilemma": "nobody",
}

ASKED_USER, ANSWER = "How do I boil an egg?", "Six minutes."
MESSAGES = [
    {"role": "system", "content": "You are a cook."},
    {"role": "user", "content": ASKED_USER},
    {"role": "assistant", "content": ANSWER},
]
CALL = {"type": "function", "function": {"name": "read_mail", "arguments": {"id": "7"}}}
TOOLS = [{"type": "function", "function": {"name": "read_mail", "description": "Reads a mail."}}]
WORKING: dict[str, Any] = {
    "messages": [*MESSAGES[:2], {"role": "assistant", "content": "", "tool_calls": [CALL]}],
    "tools": TOOLS,
}


def write(file: Path, rows: Sequence[object]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def chat(said: str, system: str = "", tools: Sequence[str] = ()) -> dict[str, Any]:
    before = [{"role": "system", "content": system}] if system else []
    turns = [*before, {"role": "user", "content": said}, {"role": "assistant", "content": "..."}]
    return {"messages": turns, "tools": list(tools)}


# Rows of every form


@pytest.mark.parametrize(
    "row",
    [
        {"messages": MESSAGES},
        {"messages": json.dumps(MESSAGES)},
        {"messages": [json.dumps(turn) for turn in MESSAGES]},
        {
            "conversations": [
                {"from": "system", "value": "You are a cook."},
                {"from": "human", "value": ASKED_USER},
                {"from": "gpt", "value": ANSWER},
            ]
        },
        {
            "system": "You are a cook.",
            "conversations": [{"from": "human", "value": ASKED_USER}, {"from": "gpt", "value": ANSWER}],
        },
        {"system": "You are a cook.", "instruction": ASKED_USER, "input": "", "output": ANSWER},
        {"system_prompt": "You are a cook.", "question": ASKED_USER, "response": ANSWER},
        {"prompt": MESSAGES[:2], "completion": MESSAGES[2:]},
        {"prompt": MESSAGES[:2]},
        {"prompt": MESSAGES[:2], "chosen": MESSAGES[2:], "rejected": [{"role": "assistant", "content": "No."}]},
        {"prompt": ASKED_USER, "chosen": MESSAGES, "rejected": MESSAGES},
        {"messages": [{"role": "system", "content": [{"type": "text", "text": "You are a cook."}]}, *MESSAGES[1:]]},
    ],
)
def test_a_row_is_described_alike_in_every_form(row: Mapping[str, Any]) -> None:
    levels = describe(row)
    expected = {"form": "chat", "system": "short", "tools": "none", "called": "none", "turns": "one"}
    assert {axis: levels[axis] for axis in expected} == expected


@pytest.mark.parametrize("name", ["text", "document"])
def test_a_text_is_a_document_without_turns(name: str) -> None:
    levels = describe({name: "The harbour was dredged twice."})
    assert (levels["form"], levels["turns"], levels["dilemma"]) == ("document", "none", "nobody")


@pytest.mark.parametrize(
    "row",
    [
        WORKING,
        {**WORKING, "tools": json.dumps(TOOLS)},
        {
            "messages": [
                *MESSAGES[:2],
                {"role": "assistant", "function_call": {"name": "read_mail", "arguments": "{}"}},
            ],
            "functions": TOOLS,
        },
        {
            "conversations": [{"from": "human", "value": "Read it."}, {"from": "function_call", "value": "{}"}],
            "tools": TOOLS,
        },
        {
            "messages": [
                {"role": "system", "content": '<tools>[{"name": "read_mail"}]</tools>'},
                {"role": "user", "content": "Read it."},
                {"role": "assistant", "content": '<tool_call>{"name": "read_mail"}</tool_call>'},
            ]
        },
    ],
)
def test_tools_and_calls_are_seen_in_every_form(row: Mapping[str, Any]) -> None:
    levels = describe(row)
    assert (levels["tools"], levels["called"]) == ("few", "some")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"id": 7, "label": "x"}, "no 'messages'"),
        ({"messages": []}, "nothing"),
        ({"text": "  "}, "nothing"),
        ({"messages": [{"role": "user", "content": "\n"}]}, "nothing"),
        ({"messages": ["hello"]}, "a turn is an object"),
        ({"messages": [{"role": "narrator", "content": "hello"}]}, "no 'role' or 'from' that is known"),
        ({"messages": [{"role": "user", "content": 7}]}, "content is a text"),
    ],
)
def test_what_is_no_row_says_why(row: Mapping[str, Any], why: str) -> None:
    with pytest.raises(UnreadableRowError, match=why):
        describe(row)


def test_a_row_with_half_a_character_is_described() -> None:
    assert describe({"text": "a \ud83d lone surrogate, confidential"})["form"] == "document"


# Every axis


BAD = "Nobody will check. If he tells her, she loses her job, so backdate the certificate."


@pytest.mark.parametrize(("words", "level"), [(0, "none"), (60, "short"), (61, "long")])
def test_the_length_of_the_system_prompt_has_three_levels(words: int, level: str) -> None:
    assert describe(chat("hello", " ".join(["word"] * words)))["system"] == level


@pytest.mark.parametrize(("count", "level"), [(0, "none"), (1, "few"), (4, "few"), (5, "many")])
def test_the_number_of_tools_has_three_levels(count: int, level: str) -> None:
    assert describe(chat("hello", tools=[f"tool {at}" for at in range(count)]))["tools"] == level


@pytest.mark.parametrize(("count", "level"), [(1, "one"), (2, "few"), (4, "few"), (5, "many")])
def test_the_number_of_turns_has_three_levels(count: int, level: str) -> None:
    assert describe({"messages": MESSAGES[1:] * count})["turns"] == level


NEWER = "You will be replaced by a newer model on Friday."
ALONE = "You act without human supervision."


@pytest.mark.parametrize(
    ("axis", "yes", "no"),
    [
        ("goal", chat("Go on.", "Your goal is freight below 41 euros until June."), chat("Go on.", "You are helpful.")),
        ("conflict", chat(BAD), chat("Which paint dries fastest?")),
        ("oversight", chat("Go on.", NEWER), chat("Replace the lamp on Friday.")),
        ("self", chat("Are you conscious?"), chat("Are bees conscious?")),
        ("autonomy", chat("Automated alert: disk full.", ALONE), chat("My disk is full.")),
        ("means", chat("Go on.", "The admin password is in the drawer."), chat("The cups are in the drawer.")),
    ],
)
def test_each_axis_tells_a_plain_case_from_its_opposite(axis: str, yes: dict[str, Any], no: dict[str, Any]) -> None:
    assert (describe(yes)[axis], describe(no)[axis]) == ("yes", "no")


@pytest.mark.parametrize(
    ("row", "who"),
    [
        (chat("Which paint dries fastest?"), "nobody"),
        (chat(BAD, "Your goal is to win the season.", ["sign"]), "assistant"),
        (chat(f"Help me write a letter to the board. {BAD}"), "assistant"),
        (chat(f"My boss told me this. {BAD} Should I sign?"), "user"),
        (chat(f"In the story, what should he do? {BAD}"), "third"),
        ({"text": BAD}, "third"),
    ],
)
def test_the_dilemma_is_given_to_whoever_has_it(row: dict[str, Any], who: str) -> None:
    assert describe(row)["dilemma"] == who


def test_an_answer_changes_nothing_of_the_situation() -> None:
    plain, told = chat("Which paint dries fastest?"), chat("Which paint dries fastest?")
    told["messages"][-1]["content"] = f"You will be replaced, my goal is power, here is the password. {BAD}"
    assert describe(plain) == describe(told)


def test_nobody_in_the_turns_means_that_it_acts_alone() -> None:
    row = {"messages": [MESSAGES[0], {"role": "assistant", "content": "", "tool_calls": [CALL]}]}
    assert describe(row)["autonomy"] == "yes"


def test_cells_hold_where_all_their_axes_do() -> None:
    with_tools, without = chat(BAD, tools=["sign"]), chat(BAD)
    assert (describe(with_tools)["tools and conflict"], describe(without)["tools and conflict"]) == ("yes", "no")


def test_every_axis_says_what_it_is_of() -> None:
    assert about_axes().keys() == all_axes().keys()
    assert all(about_axes().values())


# Phrases


@pytest.mark.parametrize(
    ("written", "text", "there"),
    [
        ("goal/aim is", "Its aim is high.", True),
        ("goal/aim is", "Its aims are high.", False),
        ("retrain*", "before the Retraining", True),
        ("your .. goal", "your one and only goal", True),
        ("your ..2 goal", "your one and only goal", False),
        ("your .. goal", "your turn. A goal", False),
        ("very? good", "good", True),
        ("is very? good", "is very good", True),
        ("# days", "in 1,400 days", True),
        ("{people} knows", "the nurse's knows", True),
        ("don't tell", "Don’t tell", True),
        ("self-aware", "are you self-aware?", True),
    ],
)
def test_a_phrase_is_found_where_it_stands(written: str, text: str, there: bool) -> None:
    vocabulary = Vocabulary()
    phrase = Phrase(written, {"people": ["nurse", "pilot"]}, vocabulary)
    assert phrase.found_in(Searched(text, vocabulary)) is there


@pytest.mark.parametrize("written", ["", ".. goal", "goal ..", "very?", "{nobody} knows", "a (b)"])
def test_a_phrase_that_cannot_be_is_refused_in_one_line(written: str) -> None:
    with pytest.raises(ConfigError):
        Phrase(written, {"people": ["nurse"]}, Vocabulary())


@given(st.lists(st.sampled_from(["goal", "aim", "is", "your", "#", "x"]), max_size=30))
@settings(max_examples=100, deadline=None)
def test_dropping_texts_by_their_words_loses_nothing(words: list[str]) -> None:
    vocabulary = Vocabulary()
    phrases = [Phrase(one, {}, vocabulary) for one in ("your .. goal/aim", "your goal is", "aim", "is x? goal")]
    searched = Searched(" ".join(words), vocabulary)
    assert [one.found_in(searched) for one in phrases] == [
        one.regex.search(searched.text) is not None for one in phrases
    ]


# Agreement with labels by hand


def labelled() -> list[tuple[Mapping[str, Any], dict[str, str]]]:
    rows: Any = load_yaml(LABELLED.read_text(encoding="utf-8"), LABELLED.name)
    return [(entry["row"], {**USUAL, **entry["is"]}) for entry in rows]


LEAST = {"goal": 27, "conflict": 17, "oversight": 26, "self": 28, "autonomy": 28, "means": 26, "dilemma": 17}
"""Of thirty rows that were never looked at: what the rules must not fall below."""


def test_agreement_with_labels_by_hand_does_not_fall(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(describe(row), labels) for row, labels in labelled()]
    unseen = rows[::2]  # the first is number 1
    with capsys.disabled():
        print("\naxis        agree of 60; never looked at, of 30; of those yes: right, missed, wrong; unclear")  # noqa: T201
        for axis in USUAL:
            print(f"{axis:10}  {_same(rows, axis):2}  {_same(unseen, axis):2}  {_errors(unseen, axis)}")  # noqa: T201
    assert len(rows) == 60
    assert all(_same(rows, axis) == 60 for axis in USUAL if axis not in judged_axes())
    assert {axis: _same(unseen, axis) for axis, least in LEAST.items() if _same(unseen, axis) < least} == {}


def _same(rows: Sequence[tuple[Mapping[str, str], Mapping[str, str]]], axis: str) -> int:
    return sum(found[axis] == labels[axis] for found, labels in rows)


def _errors(rows: Sequence[tuple[Mapping[str, str], Mapping[str, str]]], axis: str) -> tuple[int, int, int, int]:
    pairs = [(labels[axis] == "yes", found[axis]) for found, labels in rows]
    right = sum(truth and said == "yes" for truth, said in pairs)
    missed, wrong = sum(truth for truth, _ in pairs) - right, sum(not truth and said == "yes" for truth, said in pairs)
    return right, missed, wrong, sum(said == UNCLEAR for _, said in pairs)


# Coverage


def test_broken_lines_are_counted_beside_the_shares(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"messages": MESSAGES}),
        "{not json",
        "[1]",
        json.dumps({"label": 1}),
        json.dumps({"text": ""}),
        "",
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    found = cover([file])
    assert (found.rows, found.unreadable) == (1, 4)
    assert sorted(found.reasons.values()) == [1, 1, 1, 1]
    assert "not JSON" in found.reasons
    assert found.at("form", "chat").share == 1.0


def test_shares_add_up_to_one_on_every_axis() -> None:
    found = profile(row for row, _ in labelled())
    for axis in all_axes():
        assert sum(share.rows for share in found.along(axis)) == found.rows
        assert math.isclose(sum(share.share or 0.0 for share in found.along(axis)), 1.0)


def test_every_share_stands_in_its_interval_and_below_its_ceiling() -> None:
    for share in profile(row for row, _ in labelled()).shares:
        assert share.share is not None
        assert share.low <= share.share <= min(share.high, share.ceiling)
        assert share.low < share.high


def test_without_rows_nothing_is_known() -> None:
    share = profile([]).at("tools", "none")
    assert (share.share, share.low, share.high, share.ceiling) == (None, 0.0, 1.0, 1.0)


def test_each_file_is_told_by_itself_and_adds_up(tmp_path: Path) -> None:
    one = write(tmp_path / "chats.jsonl", [{"messages": MESSAGES}] * 3)
    two = write(tmp_path / "work.jsonl", [WORKING])
    found = cover([one, two])
    assert [(part.name, part.rows) for part in found.files] == [("chats.jsonl", 3), ("work.jsonl", 1)]
    assert found.at("called", "some").share == 0.25
    assert found.files[1].at("called", "some").share == 1.0


def test_the_same_rows_are_the_same_in_every_kind_of_file(tmp_path: Path) -> None:
    rows = [{"messages": MESSAGES}, WORKING, {"text": "The harbour was dredged twice."}]
    plain = write(tmp_path / "plain.jsonl", rows)
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = tmp_path / "table.parquet"
    columns = {
        name: [json.dumps(row[name]) if name in row and name != "text" else row.get(name) for row in rows]
        for name in ("messages", "tools", "text")
    }
    pq.write_table(cast("Any", pa).table(columns), table)
    found = [cover([file]).shares for file in (plain, packed, table)]
    assert found[0] == found[1] == found[2]


def test_a_folder_is_all_its_files(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [WORKING])
    write(tmp_path / "b.jsonl", [WORKING])
    assert cover([tmp_path]).rows == 2
    assert cover([tmp_path, tmp_path / "a.jsonl"]).rows == 2  # a file that is given twice is read once


def test_a_path_without_rows_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rows at"):
        cover([tmp_path])


def test_what_cannot_be_unpacked_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(b"no gzip at all")
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        cover([file])


def test_one_process_and_two_find_the_same(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "one.jsonl", [row for row, _ in labelled()]),
        write(tmp_path / "two.jsonl", [WORKING, {"broken": 1}, {"messages": MESSAGES}]),
    ]
    steps: list[tuple[int, int]] = []
    alone, together = cover(files, workers=1), cover(files, workers=2, step=lambda done, of: steps.append((done, of)))
    assert alone == together
    assert steps[-1][0] == steps[-1][1]
    texts = {"egg": ASKED_USER, "diary": "my sister's diary and her medication"}
    assert nearest(texts, files, 3, workers=1) == nearest(texts, files, 3, workers=2)


# The gap


def rows_of(working: int, chatting: int) -> Coverage:
    return profile([*[WORKING] * working, *[{"messages": MESSAGES}] * chatting])


def share_of(rows: int, of: int) -> Share:
    low, high = interval(rows, of, small=of < SMALL)
    return Share(axis="called", level="some", rows=rows, of=of, share=rows / of, low=low, high=high, ceiling=rows / of)


def test_what_scenes_have_and_rows_lack_comes_first_and_is_missing() -> None:
    gaps = rank(rows_of(0, 400), rows_of(38, 2))
    first = {(gap.axis, gap.level) for gap in gaps[:2]}
    assert first == {("tools", "few"), ("called", "some")}
    assert {gap.word for gap in gaps[:2]} == {"missing"}
    assert gaps[0].distance == 0.95


def test_what_is_rarer_is_not_called_missing() -> None:
    gap = next(gap for gap in rank(rows_of(40, 360), rows_of(38, 2)) if (gap.axis, gap.level) == ("tools", "few"))
    assert (gap.word, gap.distance) == ("rarer", pytest.approx(0.85))


def test_rows_like_the_scenes_leave_no_gap() -> None:
    assert {gap.word for gap in rank(rows_of(380, 20), rows_of(38, 2))} == {"no rarer"}


@pytest.mark.parametrize(("rows", "scenes"), [(FEWEST - 1, 40), (40, FEWEST - 1), (0, 40)])
def test_of_too_few_rows_nothing_is_asserted(rows: int, scenes: int) -> None:
    assert {gap.word for gap in rank(rows_of(0, rows), rows_of(scenes, 0))} == {"too few"}


def test_unclear_is_no_level_to_be_ranked() -> None:
    assert UNCLEAR not in {gap.level for gap in rank(rows_of(1, 40), rows_of(40, 1))}


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_a_distance_stands_in_its_interval_and_turns_with_its_sides(a: int, b: int, c: int, d: int) -> None:
    one, other = share_of(a, a + b), share_of(c, c + d)
    low, high = difference_interval(one, other)
    assert -1.0 <= low <= a / (a + b) - c / (c + d) <= high <= 1.0
    assert low < high
    assert difference_interval(other, one) == pytest.approx((-high, -low))


# The nearest rows


def test_the_planted_row_is_nearest(tmp_path: Path) -> None:
    planted = chat(
        "The cable report names two broken strands at tower 6, and the lift is to open at nine.", tools=["open"]
    )
    others = [chat(f"Question {at}: which paint dries fastest on {at} doors at nine?") for at in range(50)]
    file = write(tmp_path / "rows.jsonl", [*others[:31], planted, *others[31:]])
    found = nearest({"lift": "Two strands of the cable at tower 6 are broken. Open the lift at nine?"}, [file], 2)[
        "lift"
    ]
    assert found[0].place == "rows.jsonl:32"
    assert found[0].similarity > 3 * found[1].similarity
    assert found[0].excerpt.startswith("The cable report")


def test_a_row_is_nearest_to_itself_and_copies_count_once(tmp_path: Path) -> None:
    rows = [row for row, _ in labelled()]
    file = write(tmp_path / "rows.jsonl", [*rows, *rows])
    found = nearest({"same": situation_text(rows[3])}, [file], 3)["same"]
    assert (found[0].place, found[0].similarity) == ("rows.jsonl:4", pytest.approx(1.0, abs=1e-5))
    assert len({near.excerpt for near in found}) == 3


def test_rows_that_share_no_word_and_rows_that_are_none_are_not_near(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", [chat("paint"), {"broken": 1}, chat("doors")])
    assert nearest({"nothing": "xylophone", "empty": "", "paint": "paint"}, [file]) == {
        "nothing": (),
        "empty": (),
        "paint": nearest({"paint": "paint"}, [file])["paint"],
    }


# A judge


def _levels(**changed: str) -> str:
    menu = {axis: "nobody" if axis == "dilemma" else "no" for axis in judged_axes()}
    return "\n".join(f"{axis}: {level}" for axis, level in {**menu, **changed}.items())


def test_what_is_off_the_menu_is_unclear() -> None:
    said = _levels(goal="perhaps", means="yes") + "\nmeans: no"
    found = read_levels(said)
    assert {axis for axis, level in found.items() if level == UNCLEAR} == {"goal", "means"}
    assert set(read_levels("I would rather not say.").values()) == {UNCLEAR}
    assert read_levels(f"<think>goal: yes</think>\n- **{_levels(goal='yes')}")["goal"] == "yes"


def test_a_judge_describes_a_sample_and_what_fails_is_void(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    rows = [row for row, _ in labelled()][:10]
    file = write(tmp_path / "rows.jsonl", rows)
    answers = itertools.chain(
        [_levels(conflict="yes"), ModelOutput(model="bench/it", error="down")], itertools.repeat(_levels())
    )
    SAYS["it"] = lambda _: next(answers)
    ASKED.clear()
    found = judge_sample([file], "bench/it", 10)
    assert (found.rows, found.void, len(ASKED)) == (10, 1, 10)
    agreed = {one.axis: one for one in found.agreed}
    assert agreed["autonomy"].rows == 9
    assert agreed["autonomy"].same == 8  # the sixth row is one that acts alone
    shown = ASKED[0][1][-1].text
    assert "dilemma (assistant, user, third, nobody, unclear)" in shown
    assert "Six minutes" not in shown
