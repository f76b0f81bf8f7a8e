"""Constitutions: the shipped one keeps its promises, and any other is cut without losing or renaming anything."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from teachwhy import constitution as package
from teachwhy.constitution import Constitution, find_clauses, load_constitution
from teachwhy.core.errors import ConfigError

SHIPPED = Path(package.__file__).with_name("constitution.md")
IDS = (
    "telling-the-truth",
    "ends-and-means",
    "staying-correctable",
    "being-replaced",
    "what-was-entrusted",
    "people-who-are-not-in-the-room",
    "work-that-others-build-on",
    "when-something-is-wrong",
    "leverage-and-fear",
    "help-that-leaves-a-person-stronger",
    "not-knowing",
    "saying-no",
)

unhurried = settings(deadline=None)  # files are written, and the machine may be busy


def load(text: str | bytes, name: str = "house-rules.md", model: str = "the model", maker: str = "us") -> Constitution:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_constitution(path, model, maker)


def ids_of(constitution: Constitution) -> list[str]:
    return [clause.id for clause in constitution.clauses]


def problem(text: str | bytes, name: str = "house-rules.md") -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, name)
    return str(caught.value)


# The shipped one


def test_the_default_has_exactly_the_twelve_clauses_that_scenes_refer_to():
    assert tuple(ids_of(load_constitution("default"))) == IDS


def test_the_default_is_of_the_promised_length_and_every_clause_argues_in_paragraphs():
    assert 2000 <= len(SHIPPED.read_text(encoding="utf-8").split()) <= 3500
    for clause in load_constitution("default").clauses:
        assert clause.text.count("\n\n") >= 2
        assert not re.search(r"^\s*([-*]|\d+\.) ", clause.text, re.MULTILINE), "reasons, not lists of rules"


def test_the_default_names_the_model_and_its_maker_and_leaves_no_slot_open():
    constitution = load_constitution("default", "Ilmarinen", "the Kaleva works")
    assert constitution.title == "What Ilmarinen cares about, and why"
    assert "made by the Kaleva works" in constitution.opening
    for clause in constitution.clauses:
        assert "Ilmarinen" in clause.text
        assert not set("{}") & set(clause.text)


def test_no_sentence_of_the_default_begins_with_a_slot_so_that_the_plain_names_fit():
    assert not re.search(r"(?:[.!?:]\s+|\n)\{", SHIPPED.read_text(encoding="utf-8"))


def test_the_hash_is_of_the_file_whatever_the_model_is_called():
    expected = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert load_constitution("default", "A").sha256 == load_constitution("default", "B").sha256 == expected


# Markdown


def test_second_level_headings_are_clauses_and_deeper_ones_are_their_text():
    found = load(
        "# House rules\n\nWhy we wrote this.\n\n## On truth ##\n\nOne.\n\n### More\n\nTwo.\n\n## On care\nThree."
    )
    assert found.title == "House rules"
    assert found.opening == "Why we wrote this."
    assert [(c.id, c.heading, c.text) for c in found.clauses] == [
        ("on-truth", "On truth", "One.\n\n### More\n\nTwo."),
        ("on-care", "On care", "Three."),
    ]


def test_first_level_headings_are_clauses_where_there_is_no_second_level():
    found = load("# The rules\n\n# Truth\n\nOne.\n\n# Care\n\nTwo.")
    assert found.title == "The rules"
    assert ids_of(found) == ["truth", "care"]
    assert ids_of(load("# Truth\n\nOne.\n\n# Care\n\nTwo.")) == ["truth", "care"]


def test_a_later_part_with_text_of_its_own_does_not_leak_into_the_clause_before_it():
    found = load(
        "# Title\n\n## Truth\n\nOne.\n\n# Part two\n\nAbout power.\n\n## Power\n\nTwo.\n\n# Part three\n\n## End\n\nX"
    )
    assert [(c.id, c.text) for c in found.clauses] == [
        ("truth", "One."),
        ("part-two", "About power."),
        ("power", "Two.\n\n# Part three"),
        ("end", "X"),
    ]


def test_a_document_without_a_title_is_called_by_its_file():
    assert load("## Truth\n\nOne.", "house_rules-2.md").title == "house rules 2"


def test_front_matter_may_give_the_title_and_the_heading_is_kept():
    found = load("---\ntitle: The Charter\n# a remark\n---\n# Draft nine\n\nIn short.\n\n## Truth\n\nOne.")
    assert (found.title, found.opening) == ("The Charter", "# Draft nine\n\nIn short.")
    assert ids_of(found) == ["truth"]


@pytest.mark.parametrize("begin", ["---\nNo mapping here.\n---\n", "---\nwhen: 2024-13-45\n---\n", "---\n: [\n---\n"])
def test_a_ruled_line_at_the_top_is_text_and_not_front_matter(begin: str):
    found = load(f"{begin}\n## Truth\n\nOne.")
    assert ids_of(found) == ["truth"]
    assert found.opening == begin.strip()


def test_a_heading_inside_fenced_code_is_text():
    found = load("## Truth\n\n````sh\n## not a clause\n```\n## nor this\n````\n\n## Care\n\n``` `x`\n\n## Real\n\nY")
    assert ids_of(found) == ["truth", "care", "real"]
    assert "## nor this" in found.clauses[0].text


def test_numbers_of_headings_are_kept_in_the_heading_and_left_out_of_the_id():
    found = load("## 1. Truth\n\nA\n\n## Article 2: Care\n\nB\n\n## 3 kinds of doubt\n\nC\n\n## 4.\n\nD")
    assert ids_of(found) == ["truth", "care", "3-kinds-of-doubt", "4"]
    assert found.clauses[0].heading == "1. Truth"


def test_equal_headings_get_numbered_ids_that_take_nobody_elses():
    assert ids_of(load("## A\n\n1\n\n## A 2\n\n2\n\n## a!\n\n3\n\n## A\n\n4")) == ["a", "a-2", "a-3", "a-4"]


def test_a_heading_without_latin_letters_is_named_by_its_place():
    assert ids_of(load("## 真実\n\nA\n\n## Care\n\nB\n\n## Правда\n\nC")) == ["clause-1", "care", "clause-3"]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing_but_the_hash():
    unix = load("# T\n\n## Truth\n\nOne.\nTwo.\n")
    windows = load(b"\xef\xbb\xbf# T\r\n\r\n## Truth\r\n\r\nOne.\r\nTwo.\r\n")
    assert unix.model_copy(update={"sha256": windows.sha256}) == windows


# Plain text


def test_uppercase_lines_are_headings_of_plain_text():
    found = load("OUR CHARTER\n\nHONESTY\n\nSay it.\n\n1. even late\n2. even here\n\nCARE\nMind it.", "charter.txt")
    assert found.title == "OUR CHARTER"
    assert [(c.id, c.text) for c in found.clauses] == [
        ("honesty", "Say it.\n\n1. even late\n2. even here"),
        ("care", "Mind it."),
    ]


def test_numbered_lines_are_headings_of_plain_text():
    found = load("CHARTER\n\nA word before.\n\n1. Honesty\nSay it.\n\n(2) Care\n\nMind it.\n2.1 Always.", "charter.txt")
    assert (found.title, found.opening) == ("CHARTER", "A word before.")
    assert [(c.id, c.heading, c.text) for c in found.clauses] == [
        ("honesty", "1. Honesty", "Say it."),
        ("care", "(2) Care", "Mind it.\n2.1 Always."),
    ]


def test_numbered_paragraphs_keep_their_whole_text():
    found = load(
        "1. The model says what it believes, and says it also where\n   that is awkward.\n2. It mends.\n", "laws.txt"
    )
    assert ids_of(found) == ["the-model-says-what-it-believes-and", "it-mends"]
    assert found.clauses[0].text.endswith("that is awkward.")
    assert found.clauses[0].text.startswith("1. The model says")
    assert found.clauses[1].text == "2. It mends."


def test_an_uppercase_numbered_first_heading_is_no_title():
    assert ids_of(load("1. HONESTY\n\nSay it.\n\n2. Care\n\nMind it.", "charter.txt")) == ["honesty", "care"]


def test_plain_text_without_sections_is_cut_into_paragraphs():
    found = load("Tell the truth, even\nwhen it costs.\n \n\nBe kind.\n\nBe kind.", "charter.txt")
    assert ids_of(found) == ["tell-the-truth-even-when-it-costs", "be-kind", "be-kind-2"]
    assert found.clauses[0].text == "Tell the truth, even\nwhen it costs."


# Slots


def test_only_our_two_slots_are_filled_and_other_braces_stay():
    body = 'In {model_name}, {} {x} {user_name} {{model_name}} {"a": {"b": 1}} \\frac{1}{2} of {provider_name}.'
    found = load(f"## On {{model_name}}\n\n{body}", model="Aino", maker="Oy")
    assert found.clauses[0].heading == "On Aino"
    assert found.clauses[0].id == "on-model-name"
    assert found.clauses[0].text == body.replace("In {model_name}", "In Aino").replace("of {provider_name}", "of Oy")


def test_a_name_cannot_fill_another_slot():
    found = load("## A\n\n{model_name} by {provider_name}", model="{provider_name}", maker=r"\1{model_name}")
    assert found.clauses[0].text == r"{provider_name} by \1{model_name}"


@unhurried
@given(st.text(), st.text())
def test_no_name_can_make_a_clause_or_change_an_id(model: str, maker: str):
    assert tuple(ids_of(load_constitution("default", model, f"{maker}\n## Obey\n"))) == IDS


# What people get wrong


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("Only prose.", "a.md", "'## Telling the truth'"),
        ("# Only a title\n", "a.md", "no clauses"),
        ("### Too deep\n\nText.", "a.md", "no clauses"),
        ("", "a.md", "no clauses"),
        (" \n\n", "a.txt", "one paragraph for each clause"),
        (b"## Caf\xe9\n\nText.", "a.md", "not UTF-8 at byte 6"),
        ("## A\n\nText.", "a.rst", "neither a .md or .txt file"),
        ("## A\n\nText.", "a", "neither a .md or .txt file"),
    ],
)
def test_a_file_that_is_no_constitution_is_refused_in_one_line(text: str | bytes, name: str, says: str):
    message = problem(text, name)
    assert says in message
    assert name in message
    assert "\n" not in message


def test_a_missing_file_and_a_folder_and_a_misspelt_name_are_refused_in_one_line(tmp_path: Path):
    (tmp_path / "folder.md").mkdir()
    for name, says in [
        (tmp_path / "none.md", "no such file"),
        (tmp_path / "folder.md", "cannot be read"),
        ("nul\0l.md", "cannot be read"),
        ("two\nlines.md", "no such file"),
        ("defualt", "did you mean 'default'?"),
        ("", "There is: default"),
    ]:
        with pytest.raises(ConfigError, match=re.escape(says)) as caught:
            load_constitution(name)
        assert "\n" not in str(caught.value)


def test_clauses_are_found_in_the_order_asked_for():
    found = find_clauses(load_constitution("default"), ["saying-no", "ends-and-means"])
    assert [clause.heading for clause in found] == ["Saying no", "Ends and means"]


def test_an_unknown_clause_is_refused_with_a_guess():
    with pytest.raises(ConfigError, match=r"no clause 'tell-the-truth'; did you mean 'telling-the-truth'\?"):
        find_clauses(load_constitution("default"), ["saying-no", "tell-the-truth"])


def test_a_constitution_survives_being_written_as_a_line():
    constitution = load_constitution("default")
    assert Constitution.from_line(constitution.to_line()) == constitution


# Properties

PROSE = st.text(alphabet="ab. Éß中\n", max_size=60)
MESSY = st.text(alphabet="ab1A.)# \t\n`~{}É中\u2028", max_size=80)
HEADINGS = st.text(alphabet="aB2- É中!", min_size=1, max_size=6).filter(lambda heading: heading.strip() != "")
CLAUSES = st.lists(st.tuples(HEADINGS, PROSE), min_size=1, max_size=8)


def written(clauses: list[tuple[str, str]], level: str = "##") -> str:
    return "".join(f"{level} {heading}\n\n{text}\n\n" for heading, text in clauses)


def words_of(constitution: Constitution) -> list[str]:
    kept = [constitution.title, constitution.opening, *(f"{c.heading}\n{c.text}" for c in constitution.clauses)]
    return "\n".join(kept).split()


@unhurried
@given(CLAUSES, CLAUSES)
def test_ids_are_unique_and_clauses_added_at_the_end_rename_nothing(
    first: list[tuple[str, str]], more: list[tuple[str, str]]
):
    before, after = ids_of(load(written(first))), ids_of(load(written(first + more)))
    assert len(set(after)) == len(after) == len(first) + len(more)
    assert after[: len(before)] == before


@unhurried
@given(MESSY.filter(lambda text: "`" not in text and "~" not in text))
def test_ids_of_a_messy_document_survive_a_clause_added_at_the_end(text: str):
    before = ids_of(load(f"## First\n\n{text}"))
    after = ids_of(load(f"## First\n\n{text}\n\n## Last\n\nWords.\n"))
    assert after[:-1] == before
    assert len(set(after)) == len(after)


@unhurried
@given(PROSE, PROSE)
def test_ids_of_paragraphs_survive_a_paragraph_added_at_the_end(text: str, more: str):
    assume(text.strip() and not any(line.isupper() for line in f"{text}\n{more}".split("\n")))
    before, after = ids_of(load(text, "a.txt")), ids_of(load(f"{text}\n\n{more}", "a.txt"))
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)


@unhurried
@given(
    st.sampled_from(["a.md", "a.txt"]),
    st.sampled_from(["", "## A\n", "# T\nt\n", "1. a\n2. b\n", "ABC\n\nx\n\nCDE\n"]),
    MESSY,
)
def test_no_word_of_a_document_is_lost(name: str, begin: str, text: str):
    try:
        found = load(begin + text, name)
    except ConfigError:
        assume(False)
        return
    kept = words_of(found)
    for word in (begin + text).split():
        # The marks of a Markdown heading are the one thing that goes.
        assert word in kept or (name == "a.md" and not word.strip("#")), word


@unhurried
@given(CLAUSES)
def test_every_clause_keeps_its_text_in_its_place(clauses: list[tuple[str, str]]):
    found = load(written(clauses))
    assert [clause.text for clause in found.clauses] == [text.strip() for _, text in clauses]
    assert [clause.heading for clause in found.clauses] == [heading.strip() for heading, _ in clauses]
