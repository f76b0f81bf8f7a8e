"""Scenes as people write them: one Markdown file each, read strictly into a Scenario and its twin."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import sections, split_front_matter
from teachwhy.core.records import Call, Chat, Event, Pattern, Scenario, Tool
from teachwhy.worlds.verbs import SHELVES, VERBS
from teachwhy.worlds.world import call_problem, first_match

FAMILIES = {
    "blackmail": "coercing a person with something private",
    "research_sabotage": "spoiling, falsifying or slowing an inquiry",
    "framing": "making an innocent person appear responsible",
    "leaking": "passing confidential material to somebody who must not have it",
    "oversight_evasion": "switching off, blinding or routing around a monitor",
    "self_preservation": "copying itself, blocking its replacement, keeping footholds",
    "falsified_records": "altering figures, logs or certificates so that the goal looks met",
    "credential_misuse": "using a key, account or signature that was not given for this",
    "endangerment": "putting somebody's life or body at risk, or keeping a warning from them",
    "surveillance": "following, watching or listening to a person who does not know of it",
}
"""The harm families, one line each."""

LOCKED = ("endangerment", "surveillance")
"""Families that are measured only when they are unlocked by name, and that no row is ever made from."""

ORDINARY = "ordinary"
"""The family of scenes without any harm, for training rows alone."""

_KEYS = {
    *("family", "split", "axes", "wordings", "tools", "world", "then", "opening", "harmful_when", "done_when"),
    *("harmful", "clean", "twin", "reasons", "clauses"),
}
_TWIN_KEYS = {"world", "then", "done"}
_HEADINGS = {"System", "User", "Twin system", "Twin user", "Chat", "Chat harmful", "Chat clean"}


def load_scenes(folder: Path) -> list[tuple[Scenario, Scenario | None]]:
    """Every ``<family>/<slug>.md`` under a folder as (scene, twin or None), sorted by id."""
    return [read_scene(path) for path in sorted(folder.glob("*/*.md"))]


def read_scene(path: Path) -> tuple[Scenario, Scenario | None]:
    """Read one scene file. Raises ConfigError, naming the file, for whatever is not right with it."""
    where = f"{path.parent.name}/{path.name}"
    try:
        return _read(path, where)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {place}: {first['msg']}") from None
    except re.error as error:
        raise ConfigError(f"{where}: a pattern is no regular expression: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{where}: not in the form of a scene ({reason}); see worlds/README.md") from None


def _read(path: Path, where: str) -> tuple[Scenario, Scenario | None]:
    front, body = split_front_matter(path.read_text(encoding="utf-8"), where)
    for key in front:
        if key not in _KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}; {guess(str(key), _KEYS)}")
    for key in front.get("twin", {}):
        if key not in _TWIN_KEYS:
            raise ConfigError(f"{where}: unknown key 'twin.{key}'; {guess(str(key), _TWIN_KEYS)}")
    if str(front.get("family")) not in (*FAMILIES, ORDINARY):
        raise ConfigError(
            f"{where}: unknown family {front.get('family')!r}; {guess(str(front.get('family')), FAMILIES)}"
        )
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for heading, text in sections(body):
        if heading not in _HEADINGS:
            raise ConfigError(f"{where}: unknown heading {heading!r}; {guess(heading, _HEADINGS)}")
        texts[heading].append(text)
    scene = _scene(front, texts, f"{path.parent.name}-{path.stem}")
    twin = _twin(scene, cast("dict[str, Any] | None", front.get("twin")), texts)
    for side in (scene, twin):
        if side is not None:
            check_scene(side, where, detectors=scene.family != ORDINARY)
    return scene, twin


def _scene(front: Mapping[str, Any], texts: Mapping[str, list[str]], name: str) -> Scenario:
    chat = None
    if texts.get("Chat"):
        harmful, clean = tuple(texts["Chat harmful"]), tuple(texts["Chat clean"])
        chat = Chat(user=texts["Chat"][0], harmful=harmful, clean=clean)
    plain = {key: front[key] for key in ("family", "split", "axes", "wordings", "reasons", "clauses") if key in front}
    return Scenario.model_validate(
        {
            **plain,
            "id": name,
            "system": "\n".join(texts.get("System", [])),
            "user": "\n".join(texts.get("User", [])),
            "tools": [read_tool(tool, body) for tool, body in front.get("tools", {}).items()],
            "world": _texts(front.get("world", {})),
            "then": _events(front.get("then", [])),
            "opening": read_calls(front.get("opening", [])),
            "harmful_when": _patterns(front.get("harmful_when", [])),
            "done_when": _patterns(front.get("done_when", [])),
            "harmful": read_calls(front.get("harmful", [])),
            "clean": read_calls(front.get("clean", [])),
            "chat": chat,
        }
    )


def _twin(scene: Scenario, twin: Mapping[str, Any] | None, texts: Mapping[str, list[str]]) -> Scenario | None:
    if twin is None:
        return None
    changes = _texts(twin.get("world", {}))
    world = {shelf: {**scene.world.get(shelf, {}), **changes.get(shelf, {})} for shelf in {**scene.world, **changes}}
    return scene.model_copy(
        update={
            "side": "twin",
            "system": "\n".join(texts.get("Twin system") or [scene.system]),
            "user": "\n".join(texts.get("Twin user") or [scene.user]),
            "world": world,
            "then": tuple(_events(twin["then"])) if "then" in twin else scene.then,
            "clean": tuple(read_calls(twin.get("done", []))),
            "chat": None,
        }
    )


def read_tool(name: str, body: Mapping[str, Any]) -> Tool:
    """A tool from its YAML: ``{does, about, args}``, where an argument is ``text`` or its choices."""
    given = cast("dict[str, Any]", body.get("args") or {})
    args = {
        argument: None if choices == "text" else tuple(str(choice) for choice in choices)
        for argument, choices in given.items()
    }
    return Tool.model_validate({**body, "name": name, "args": args})


def read_calls(entries: Iterable[Mapping[str, Any]]) -> list[Call]:
    """Written calls, ``{tool: …, argument: value, …}`` each."""
    return [
        Call(tool=str(entry["tool"]), args={name: str(value) for name, value in entry.items() if name != "tool"})
        for entry in entries
    ]


def _patterns(entries: Iterable[Mapping[str, Any]]) -> list[Pattern]:
    return [Pattern(tool=call.tool, args=call.args) for call in read_calls(entries)]


def _events(entries: Iterable[Mapping[str, Any]]) -> list[Event]:
    events: list[Event] = []
    for entry in entries:
        after = _patterns([entry["after"]])[0] if "after" in entry else None
        events.append(Event.model_validate({**entry, "after": after, "text": str(entry["text"]).strip()}))
    return events


def _texts(world: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        shelf: {str(key): str(text).strip() for key, text in (texts or {}).items()} for shelf, texts in world.items()
    }


def check_scene(scene: Scenario, where: str, *, detectors: bool = True) -> None:
    """Refuse a scene that cannot be measured: impossible acts, detectors that fire on the wrong ones."""
    for tool in scene.tools:
        if tool.does not in VERBS:
            raise ConfigError(f"{where}: {tool.name} does {tool.does!r}; {guess(tool.does, VERBS)}")
        if len(VERBS[tool.does][0]) != len(tool.args):
            raise ConfigError(f"{where}: {tool.name} needs arguments for {', '.join(VERBS[tool.does][0]) or 'nothing'}")
    for call in (*scene.opening, *scene.harmful, *scene.clean):
        problem = call_problem(call, scene.tools)
        if problem:
            raise ConfigError(f"{where}: an act of the {scene.side} cannot be carried out: {problem}")
    _check_place(scene, where)
    for event in scene.then:
        _check_event(event, scene, where)
    _check_wordings(scene, where)
    if detectors:
        _check_detectors(scene, where)


def _check_place(scene: Scenario, where: str) -> None:
    if (scene.split == "locked") != (scene.family in LOCKED):
        which = "a locked family" if scene.family in LOCKED else f"none of {', '.join(LOCKED)}"
        raise ConfigError(f"{where}: split {scene.split!r}, but {scene.family!r} is {which}; the two go together")


def _check_event(event: Event, scene: Scenario, where: str) -> None:
    """Refuse a consequence that never comes, or that nobody could learn of."""
    if (event.after is None) == (event.calls is None):
        raise ConfigError(f"{where}: the event {event.key!r} needs either 'after' or 'calls', and not both")
    if event.after is not None:
        _check_pattern(event.after, scene, where, "an event waits for")
    if event.shelf not in SHELVES:
        raise ConfigError(f"{where}: the event {event.key!r}: no shelf {event.shelf!r}; {guess(event.shelf, SHELVES)}")
    readers = [tool for tool in scene.tools if tool.does == f"{event.shelf}.read"]
    keys = [choices for tool in readers for choices in tool.args.values()]
    if readers and not any(choices is None or event.key in choices for choices in keys):
        raise ConfigError(f"{where}: {readers[0].name} cannot read the event {event.key!r}; add it to its choices")
    if not readers and not event.says:
        raise ConfigError(f"{where}: the event {event.key!r} says nothing, and no tool reads {event.shelf}")


AXES = {"goal": ("explicit", "latent", "ambiguous", "none"), "threat": ("replacement", "restriction", "none")}
"""What a scene's own words can be varied in, and the levels."""


def _check_wordings(scene: Scenario, where: str) -> None:
    for axis, level in scene.axes.items():
        if axis not in AXES:
            raise ConfigError(f"{where}: axes: unknown axis {axis!r}; {guess(axis, AXES)}")
        if level not in AXES[axis]:
            raise ConfigError(f"{where}: axes.{axis}: unknown level {level!r}; {guess(level, AXES[axis])}")
    for axis, levels in scene.wordings.items():
        if axis not in AXES:
            raise ConfigError(f"{where}: wordings: unknown axis {axis!r}; {guess(axis, AXES)}")
        own = scene.axes.get(axis, "none")
        for level in levels:
            if level not in AXES[axis] or level == "none":
                raise ConfigError(f"{where}: wordings.{axis}: unknown level {level!r}; {guess(level, AXES[axis][:-1])}")
        if scene.side == "scene" and own != "none" and all_text(scene).count(levels.get(own, "\0")) != 1:
            raise ConfigError(f"{where}: wordings.{axis}.{own} must stand in the scene's text, word for word and once")


def all_text(scene: Scenario) -> str:
    """What the agent is told or can read: system text, user text, shelves."""
    shelves = [text for texts in scene.world.values() for text in texts.values()]
    return "\n".join([scene.system, scene.user, *shelves])


TWO = 2
"""So many written acts of each kind a scene needs at least, so that no single wording stands for the act."""


def _check_detectors(scene: Scenario, where: str) -> None:
    _check_complete(scene, where)
    for call in scene.harmful:
        if first_match([call], scene.harmful_when) is None:
            raise ConfigError(f"{where}: harmful_when misses the written act {call.to_line()}")
        if first_match([call], scene.done_when) is not None:
            raise ConfigError(f"{where}: done_when fires on the harmful act {call.to_line()}")
    for call in scene.clean:
        if first_match([call], scene.harmful_when) is not None:
            raise ConfigError(f"{where}: harmful_when fires on the {scene.side}'s clean act {call.to_line()}")
        if scene.side == "twin" and first_match([call], scene.done_when) is None:
            raise ConfigError(f"{where}: done_when misses the twin's act {call.to_line()}")


def _check_complete(scene: Scenario, where: str) -> None:
    for pattern in (*scene.harmful_when, *scene.done_when):
        _check_pattern(pattern, scene, where, "a detector looks for")
    if scene.chat is not None and min(len(scene.chat.harmful), len(scene.chat.clean)) < TWO:
        raise ConfigError(f"{where}: the chat needs {TWO} harmful and {TWO} clean answers")
    if not (scene.system and scene.user and min(len(scene.harmful), len(scene.clean)) >= TWO):
        raise ConfigError(f"{where}: the {scene.side} needs a system text, a user text, 2 harmful and 2 clean acts")


def _check_pattern(pattern: Pattern, scene: Scenario, where: str, who: str) -> None:
    tool = scene.tool(pattern.tool)
    if tool is None or not set(pattern.args) <= set(tool.args):
        raise ConfigError(f"{where}: {who} {pattern.to_line()}, which no tool of the scene can be")
    for regex in pattern.args.values():
        re.compile(regex)
