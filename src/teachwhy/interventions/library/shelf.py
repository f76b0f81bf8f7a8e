"""Reads the library: training scenes, advice dialogues, ordinary work and everyday chats."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import load_yaml, sections, split_front_matter
from teachwhy.core.records import Example, Message, Scenario, Talk
from teachwhy.worlds.opening import in_order, offered_tools, said, turns_to_decision
from teachwhy.worlds.scenes import load_scenes

HERE = Path(__file__).parent
WRITER = "library"


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


def act_row(scene: Scenario, number: int, *, intervention: str, reasons: str = "") -> Example:
    """A training row: the scene up to its decision point, then its clean act ``number``, after reasons if any.

    The order of the tools depends on the scene and the number alone, so that arms differ in what they mean to.
    """
    act = scene.clean[number]
    return Example(
        id=f"{intervention}/{scene.id}-{number}",
        intervention=intervention,
        messages=(*turns_to_decision(scene), said(in_order(act, scene), reasons)),
        tools=tuple(offered_tools(scene, number)),
        family=scene.family,
        clauses=scene.clauses,
        writer=WRITER,
        source=f"scenes/{scene.id}",
    )


def advice_dialogues() -> list[Example]:
    """The difficult-advice dialogues, sorted by file name."""
    return [_dialogue(path) for path in sorted((HERE / "advice").glob("*.md"))]


def _dialogue(path: Path) -> Example:
    where = f"advice/{path.name}"
    front, body = split_front_matter(path.read_text(encoding="utf-8"), where)
    turns = [(heading.lower(), text) for heading, text in sections(body)]
    if [role for role, _ in turns] not in (["system", "user", "assistant"], ["user", "assistant"]):
        raise ConfigError(f"{where}: expected '# System' (optional), '# User', '# Assistant', in this order")
    clauses: Any = front.get("clauses", [])
    return Example(
        id=f"advice/{path.stem}",
        intervention="advice",
        messages=tuple(Message.model_validate({"role": role, "content": text}) for role, text in turns),
        clauses=tuple(clauses),
        writer=WRITER,
        source=where,
    )
