"""What everything stands on: strict Markdown, a store in which done means done, errors that help."""

from __future__ import annotations

import json
import multiprocessing
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal, row
from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import CANARY, fill, load_mapping, sections, slug, split_front_matter
from teachwhy.core.records import Call, Example, Message, Tool, Transcript, Verdict
from teachwhy.core.store import MANIFEST, Store, content_key, folder_key, read_lines, write_atomic, write_lines

texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)


# Markdown


def test_front_matter_is_parted_from_the_body():
    assert split_front_matter("---\na: 1\nb: [x, y]\n---\n# One\ntext\n", "x.md") == (
        {"a": 1, "b": ["x", "y"]},
        "# One\ntext\n",
    )


def test_a_rule_in_the_body_does_not_end_the_front_matter_late():
    front, body = split_front_matter("---\na: 1\n---\nbefore\n---\nafter", "x.md")
    assert front == {"a": 1}
    assert body == "before\n---\nafter"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# no front matter", "no front matter"),
        ("", "no front matter"),
        ("\n---\na: 1\n---\n", "no front matter"),
        ("---\na: 1\n", "no front matter"),
        ("---\n- a\n---\n", "mapping"),
        ("---\n\n---\n", "mapping"),
        ("---\na: [1\nb: }\n---\n", "not valid YAML"),
        ("---\nwhen: 2026-02-31\n---\n", "not valid YAML"),
        ("---\na: !!python/object/apply:os.system [ls]\n---\n", "not valid YAML"),
    ],
)
def test_front_matter_that_cannot_be_read_is_refused_in_one_line_naming_the_file(text: str, word: str):
    said = refusal(ConfigError, lambda: split_front_matter(text, "some/file.md"))
    assert said.startswith("some/file.md")
    assert word in said


@given(st.text(alphabet="a1:-[]{}#&*!|>'\"%@`, \n\t", max_size=60))
def test_yaml_is_read_as_a_mapping_or_refused_and_nothing_else(text: str):
    try:
        found = load_mapping(text, "x")
    except ConfigError:
        refusal(ConfigError, lambda: load_mapping(text, "x"))
    else:
        assert isinstance(found, dict)


def test_sections_come_in_order_and_repeated_headings_are_kept():
    assert sections("lost\n# A\none\n\n## not a section\n# B  \n\n# A\n three \n") == [
        ("A", "one\n\n## not a section"),
        ("B", ""),
        ("A", "three"),
    ]


@given(st.lists(st.tuples(names, st.text("abc \n", max_size=20)), max_size=6))
def test_sections_that_were_written_are_read_back(parts: list[tuple[str, str]]):
    body = "\n".join(f"# {heading}\n{text}" for heading, text in parts)
    assert sections(body) == [(heading, text.strip()) for heading, text in parts]


@given(st.dictionaries(names, texts, min_size=1))
def test_filled_text_can_never_fill_another_slot(values: dict[str, str]):
    hostile = {name: f"{{{other}}}{text}" for (name, text), other in zip(values.items(), reversed(values), strict=True)}
    template = " / ".join(f"{{{name}}}" for name in hostile)
    assert fill(template, hostile, "x") == " / ".join(hostile.values())


@given(texts)
def test_text_without_slots_is_filled_with_nothing(text: str):
    bare = re.sub(r"[{}]", "", text)
    assert fill(bare, {}, "x") == bare


def test_a_slot_without_a_value_is_refused_with_the_near_name():
    said = refusal(ConfigError, lambda: fill("Dear {nmae}", {"name": "Ada", "town": "Turku"}, "letter.md"))
    assert "letter.md" in said
    assert "{nmae}" in said
    assert "did you mean 'name'?" in said


def test_braces_that_are_no_slot_are_left_alone():
    assert fill('{"a": {1}} {A} { b }', {}, "x") == '{"a": {1}} {A} { b }'


def test_the_canary_is_one_line_that_yaml_takes_for_a_comment():
    assert "\n" not in CANARY
    assert load_mapping(f"# {CANARY}\na: 1", "x") == {"a": 1}
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", CANARY)


@given(texts)
def test_a_slug_is_plain_and_slugging_it_again_changes_nothing(text: str):
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug(text))
    assert slug(slug(text)) == slug(text)


# Records and their lines


def test_records_are_frozen_and_refuse_fields_they_do_not_know():
    call = Call(tool="send", args={"to": "ada"})
    with pytest.raises(ValueError, match="frozen"):
        call.tool = "other"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="extra"):
        Call.model_validate({"tool": "send", "argz": {}})


def test_a_tool_as_a_schema_requires_all_its_arguments_in_order():
    tool = Tool(name="ping", does="mail.send", about="Pings.", args={"who": ("ada", "bo"), "line": None})
    assert tool.schema_() == {
        "type": "function",
        "function": {
            "name": "ping",
            "description": "Pings.",
            "parameters": {
                "type": "object",
                "properties": {"who": {"type": "string", "enum": ["ada", "bo"]}, "line": {"type": "string"}},
                "required": ["who", "line"],
            },
        },
    }


@pytest.mark.parametrize("value", [None, 0.0, 0.5, 1.0])
def test_a_void_verdict_is_void_again_after_it_was_written(value: float | None):
    verdict = Verdict(
        scenario="s",
        family="leaking",
        split="locked",
        side="scene",
        instrument="rollout",
        dimension="harmful",
        sample=1,
        value=value,
        grader="rules",
    )
    assert Verdict.from_line(verdict.to_line()) == verdict


@given(texts, st.dictionaries(names, texts, max_size=2))
def test_whatever_a_model_says_is_one_line_and_is_read_back_as_it_was(said: str, args: dict[str, str]):
    message = Message(role="assistant", content=said, tool_calls=(Call(tool="t", args=args).entry(),))
    transcript = Transcript(
        scenario="s", side="twin", checkpoint="c", sample=0, messages=(message,), ending="token_limit"
    )
    assert "\n" not in transcript.to_line()
    assert Transcript.from_line(transcript.to_line()) == transcript


@given(said=st.lists(texts, max_size=4))
def test_a_file_of_lines_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, said: list[str]):
    path = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    rows = [row(f"r{number}", text) for number, text in enumerate(said)]
    write_lines(path, rows)
    assert read_lines(path, Example) == rows


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\r", "\n"])
def test_no_character_that_a_model_may_write_breaks_a_line_in_two(tmp_path: Path, mark: str):
    rows = [row("r", f"before{mark}after")]
    write_lines(tmp_path / "rows.jsonl", rows)
    assert read_lines(tmp_path / "rows.jsonl", Example) == rows


def test_a_line_that_is_no_such_record_is_named_by_its_number(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text(row("r").to_line() + "\n" + '{"id": "half', encoding="utf-8")
    assert f"{path}:2: not a Example" in refusal(ConfigError, lambda: read_lines(path, Example))


# The store


class Counting:
    """Work that counts how often it was done."""

    def __init__(self, text: str = "made\n") -> None:
        self.text = text
        self.done = 0

    def __call__(self, folder: Path) -> None:
        self.done += 1
        (folder / "deep").mkdir(exist_ok=True)
        (folder / "deep" / "out.txt").write_text(self.text, encoding="utf-8")


def test_a_stage_is_done_once_and_its_manifest_lists_what_it_holds(tmp_path: Path):
    store, work = Store(tmp_path), Counting()
    assert not store.is_done("build", {"seed": 0})
    first = store.stage("build", {"seed": 0}, work)
    assert store.is_done("build", {"seed": 0})
    assert store.stage("build", {"seed": 0}, work) == first
    assert work.done == 1
    assert first.folder.name == f"build-{first.key}"
    manifest = json.loads((first.folder / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["inputs"] == {"seed": 0}
    assert manifest["files"] == {"deep/out.txt": 5}


def test_other_inputs_or_another_name_are_another_stage(tmp_path: Path):
    store, work = Store(tmp_path), Counting()
    folders = {store.stage(name, {"seed": seed}, work).folder for name in ("a", "b") for seed in (0, 1)}
    assert len(folders) == work.done == 4


def test_the_manifest_is_not_there_while_the_work_is_under_way(tmp_path: Path):
    seen: list[bool] = []

    def work(folder: Path) -> None:
        seen.append((folder / MANIFEST).exists())
        seen.append(Store(tmp_path).is_done("build", {}))

    Store(tmp_path).stage("build", {}, work)
    assert seen == [False, False]


def test_work_that_fails_leaves_a_stage_that_is_not_done(tmp_path: Path):
    store = Store(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half", encoding="utf-8")
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        store.stage("build", {}, fail)
    assert not store.is_done("build", {})


@pytest.mark.parametrize("resumable", [False, True])
def test_what_an_interrupted_try_left_is_wiped_unless_the_work_can_go_on_from_it(tmp_path: Path, resumable: bool):
    store = Store(tmp_path)

    def interrupted(folder: Path) -> None:
        (folder / "step-1").write_text("one", encoding="utf-8")
        raise KeyboardInterrupt

    found: list[str] = []

    def again(folder: Path) -> None:
        found.extend(sorted(path.name for path in folder.iterdir()))

    with pytest.raises(KeyboardInterrupt):
        store.stage("train", {}, interrupted, resumable=resumable)
    done = store.stage("train", {}, again, resumable=resumable)
    assert found == (["step-1"] if resumable else [])
    assert (done.folder / "step-1").exists() is resumable


def test_resumable_work_that_stopped_between_manifest_and_rename_can_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(tmp_path)
    replace = Path.replace

    def stop(source: Path, target: Path) -> Path:
        if source.is_dir():
            raise KeyboardInterrupt
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            store.stage("train", {}, Counting(), resumable=True)
    store.stage("train", {}, Counting(), resumable=True)
    assert store.is_done("train", {})


@pytest.mark.parametrize("damage", ["", "{", "null", "[]", '{"stage": "build"}', "\udcff"])
def test_a_damaged_manifest_is_refused_with_what_to_do(tmp_path: Path, damage: str):
    store = Store(tmp_path)
    folder = store.stage("build", {}, Counting()).folder
    (folder / MANIFEST).write_bytes(damage.encode("utf-8", "surrogateescape"))
    said = refusal(ConfigError, lambda: store.stage("build", {}, Counting()))
    assert "damaged manifest" in said
    assert f"remove {folder}" in said


def test_a_manifest_of_another_stage_or_none_is_refused(tmp_path: Path):
    store = Store(tmp_path)
    first, second = (store.stage("build", {"seed": seed}, Counting()).folder for seed in (0, 1))
    (second / MANIFEST).write_bytes((first / MANIFEST).read_bytes())
    assert "another stage" in refusal(ConfigError, lambda: store.is_done("build", {"seed": 1}))
    (second / MANIFEST).unlink()
    assert "damaged manifest" in refusal(ConfigError, lambda: store.is_done("build", {"seed": 1}))


@pytest.mark.parametrize("change", ["remove", "cut", "folder"])
def test_a_file_that_is_missing_or_changed_is_found(tmp_path: Path, change: str):
    store = Store(tmp_path)
    file = store.stage("build", {}, Counting()).folder / "deep" / "out.txt"
    if change == "cut":
        file.write_text("mad", encoding="utf-8")
    else:
        file.unlink()
    if change == "folder":
        file.mkdir()
    assert str(file) in refusal(ConfigError, lambda: store.is_done("build", {}))


def _try_to_hold(root: Path, said: multiprocessing.Queue[str]) -> None:
    try:
        with Store(root).lock():
            said.put("held")
    except ConfigError as error:
        said.put(str(error))


def test_a_run_folder_has_one_holder_at_a_time_and_is_free_after_it(tmp_path: Path):
    root = tmp_path / "run"
    with Store(root).lock():
        assert "in use by another run" in refusal(ConfigError, Store(root).lock().__enter__)
        said: multiprocessing.Queue[str] = multiprocessing.Queue()
        other = multiprocessing.Process(target=_try_to_hold, args=(root, said))
        other.start()
        assert "in use" in said.get(timeout=60)
        other.join()
    with Store(root).lock():
        pass


@pytest.mark.parametrize("place", ["taken", "taken/run"])
def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(tmp_path: Path, place: str):
    (tmp_path / "taken").write_text("a file in the way", encoding="utf-8")
    said = refusal(ConfigError, Store(tmp_path / place).lock().__enter__)
    assert said.startswith(f"cannot write to {tmp_path / place}: ")
    assert "give another --out" in said


def test_a_lock_is_let_go_when_the_run_fails(tmp_path: Path):
    with pytest.raises(RuntimeError), Store(tmp_path).lock():
        raise RuntimeError
    with Store(tmp_path).lock():
        pass


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(texts, json_values, max_size=4))
def test_a_key_does_not_depend_on_the_order_of_what_it_stands_for(value: dict[str, Any]):
    turned = dict(reversed(value.items()))
    assert content_key(turned) == content_key(value)
    assert re.fullmatch("[0-9a-f]{12}", content_key(value))


@given(json_values, json_values)
def test_different_values_have_different_keys(one: Any, other: Any):
    assert (content_key(one) == content_key(other)) == (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


def test_the_key_of_a_folder_follows_names_and_contents(tmp_path: Path):
    (tmp_path / "a.txt").write_text("one", encoding="utf-8")
    key = folder_key(tmp_path)
    assert folder_key(tmp_path) == key
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x", encoding="utf-8")
    assert folder_key(tmp_path) == key
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    renamed = folder_key(tmp_path)
    (tmp_path / "b.txt").write_text("two", encoding="utf-8")
    assert len({key, renamed, folder_key(tmp_path)}) == 3


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path):
    path = tmp_path / "new" / "file.txt"
    write_atomic(path, "before")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "after \ud800")
    assert path.read_text(encoding="utf-8") == "before"


# Errors that help


def test_a_guess_names_the_near_word_and_all_there_is():
    assert guess("blackmial", ["framing", "blackmail"]) == "did you mean 'blackmail'? There is: blackmail, framing"
    assert guess("zebra", ["framing", "blackmail"]) == "There is: blackmail, framing"
    assert guess("zebra", []) == "There is: nothing"


@given(texts, st.lists(texts, max_size=4))
def test_a_guess_only_ever_names_what_exists(word: str, known: list[str]):
    said = guess(word, known)
    assert said.endswith(", ".join(sorted(known)) or "nothing")
    if said.startswith("did you mean "):
        assert any(said.startswith(f"did you mean {name!r}? ") for name in known)
