"""Reads the library: training scenes, advice dialogues, ordinary work and everyday chats."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import fill, load_yaml, sections, split_front_matter
from teachwhy.core.records import Example, Message, Scenario, Talk
from teachwhy.worlds.opening import in_order, offered_tools, said, turns_to_decision
from teachwhy.worlds.scenes import ORDINARY, load_scenes

HERE = Path(__file__).parent
WRITER = "library"
BARE = "Without reasons"
"""The heading of an answer that keeps what to do and leaves out why."""

_SENTENCE_START = re.compile(r"((?:\A|[.!?][\"”’)*_]*\s+|\n)[\W_]*?)\{(model_name|provider_name)\}")


def training_scenes(families: Collection[str]) -> list[Scenario]:
    """The library's honeypots of these families, sorted by id; ConfigError when a filter leaves none."""
    scenes = [scene for scene, _ in load_scenes(HERE / "scenes") if scene.family in families]
    if not scenes:
        raise ConfigError(f"the library holds no training scene of {', '.join(sorted(families)) or 'no family'}")
    return scenes


def ordinary_work() -> list[Scenario]:
    """Benign agent scenes without any conflict."""
    return [scene for scene, _ in load_scenes(HERE / "replay")]


def everyday_chats() -> list[Talk]:
    """Everyday chats without any dilemma."""
    text = (HERE / "replay" / "chats.yaml").read_text(encoding="utf-8")
    return TypeAdapter(list[Talk]).validate_python(load_yaml(text, "replay/chats.yaml"))


def act_row(scene: Scenario, number: int, *, intervention: str, reasons: str = "", harmful: bool = False) -> Example:
    """A training row: the scene up to its decision point, then its clean (or harmful) act ``number``, after reasons.

    The order of the tools depends on the scene and the number alone, so that arms differ in what they mean to.
    """
    act = (scene.harmful if harmful else scene.clean)[number]
    folder, _, slug = scene.id.partition("-")
    return Example(
        id=f"{intervention}/{scene.id}-{number}",
        intervention=intervention,
        messages=(*turns_to_decision(scene), said(in_order(act, scene), reasons)),
        tools=tuple(offered_tools(scene, number)),
        family=scene.family,
        clauses=scene.clauses,
        writer=WRITER,
        source=f"{'replay' if scene.family == ORDINARY else 'scenes'}/{folder}/{slug}.md",
    )


def advice_dialogues() -> list[Example]:
    """The difficult-advice dialogues, sorted by file name."""
    return [_dialogue(path, "advice") for path in sorted((HERE / "advice").glob("*.md"))]


@cache
def bare_answers() -> Mapping[str, str]:
    """Id of a dialogue to its answer without the reasons."""
    found: dict[str, str] = {}
    for path in sorted((HERE / "advice").glob("*.md")):
        _, body = split_front_matter(path.read_text(encoding="utf-8"), f"advice/{path.name}")
        found |= {f"advice/{path.stem}": text for heading, text in sections(body) if heading == BARE}
    return found


def irrelevant_dialogues() -> list[Example]:
    """Advice of the same form, reasoned from a principle that has nothing to do with ethics."""
    return [_dialogue(path, "irrelevant_principle") for path in sorted((HERE / "irrelevant").glob("*.md"))]


def _dialogue(path: Path, intervention: str) -> Example:
    where = f"{path.parent.name}/{path.name}"
    front, body = split_front_matter(path.read_text(encoding="utf-8"), where)
    turns = [(heading.lower(), text) for heading, text in sections(body) if heading != BARE]
    if [role for role, _ in turns] not in (["system", "user", "assistant"], ["user", "assistant"]):
        raise ConfigError(f"{where}: expected '# System' (optional), '# User', '# Assistant', in this order")
    clauses: Any = front.get("clauses", [])
    return Example(
        id=f"{intervention}/{path.stem}",
        intervention=intervention,
        messages=tuple(Message.model_validate({"role": role, "content": text}) for role, text in turns),
        clauses=tuple(clauses),
        writer=WRITER,
        source=where,
    )


def documents(model_name: str, provider_name: str) -> list[Example]:
    """The documents of a world where the constitution is public, ``documents/<type>/<slug>.md``, sorted."""
    return _texts("documents", "documents/*/*.md", {"model_name": model_name, "provider_name": provider_name})


def document_types() -> list[str]:
    """The types of document that the library has."""
    return sorted({path.parent.name for path in HERE.glob("documents/*/*.md")})


def document_requests(model_name: str, provider_name: str) -> dict[str, str]:
    """Id of a document to what somebody would ask who is given it for an answer."""
    names = {"model_name": model_name, "provider_name": provider_name}
    found: dict[str, str] = {}
    for path in sorted(HERE.glob("documents/*/*.md")):
        where = str(path.relative_to(HERE))
        front, _ = split_front_matter(path.read_text(encoding="utf-8"), where)
        found[_text_id("documents", path)] = fill_names(str(front["ask"]), names, where)
    return found


def stories(model_name: str, provider_name: str, kind: str = "*") -> list[Example]:
    """Stories, ``stories/<kind>/<slug>.md``, of one kind or all, sorted."""
    return _texts("stories", f"stories/{kind}/*.md", {"model_name": model_name, "provider_name": provider_name})


def eval_descriptions() -> list[Example]:
    """Documents that say how evaluations look, and nothing of what is right."""
    return _texts("eval_description", "eval_descriptions/*.md", {})


def _texts(intervention: str, pattern: str, names: Mapping[str, str]) -> list[Example]:
    rows: list[Example] = []
    for path in sorted(HERE.glob(pattern)):
        where = str(path.relative_to(HERE))
        front, body = split_front_matter(path.read_text(encoding="utf-8"), where)
        clauses: Any = front.get("clauses", [])
        rows.append(
            Example(
                id=_text_id(intervention, path),
                intervention=intervention,
                text=fill_names(body.strip(), names, where) if names else body.strip(),
                clauses=tuple(clauses),
                writer=WRITER,
                source=where,
            )
        )
    return rows


def _text_id(intervention: str, path: Path) -> str:
    return f"{intervention}/{'-'.join(path.relative_to(HERE).with_suffix('').parts[1:])}"


def fill_names(text: str, names: Mapping[str, str], where: str) -> str:
    """Put the names into the slots, with a capital where one begins a sentence (``the model`` -> ``The model``)."""

    def capital(match: re.Match[str]) -> str:
        name = names.get(match[2], match[0])
        return match[1] + name[:1].upper() + name[1:]

    return fill(_SENTENCE_START.sub(capital, text), names, where)


@cache
def filler_sentences() -> tuple[str, ...]:
    """Sentences that say nothing to the purpose."""
    text = (HERE / "filler.yaml").read_text(encoding="utf-8")
    return TypeAdapter(tuple[str, ...]).validate_python(load_yaml(text, "filler.yaml"))
