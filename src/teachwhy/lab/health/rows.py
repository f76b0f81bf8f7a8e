"""Anybody's rows as texts with a part to play: what frames a talk, what is read in it, and what is trained on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from teachwhy.core.shards import UnreadableRowError, opened, text_of

FRAME, READ, SAID, CALLED = 0, 1, 2, 3
"""System prompts and descriptions of tools; what users and tools say; what the model is taught to say, and to call.

The last two are trained on.
"""

_FRAMING = ("system", "developer")
_REASONING = ("reasoning_content", "reasoning", "thinking")
_EMPTY_BLOCK = re.compile(r"<(think|thinking|reasoning)>\s*</\1>", re.IGNORECASE)


@dataclass
class Row:
    """What the check needs of a row."""

    name: str
    """Its id, or its file and line."""
    texts: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """The part that each plays, and the text."""
    trained: bool = False
    """Whether there is anything to train on, a call without arguments included."""
    prompt_only: bool = False
    """A prompt for reinforcement learning, which has nothing to train on and needs nothing."""
    empty_reasoning: bool = False
    empty_turns: int = 0
    family: str | None = None
    intervention: str | None = None
    clauses: tuple[str, ...] = ()
    tokens: int = 0
    """0 where the row does not say."""

    def add(self, part: int, text: str) -> None:
        """Add a text, if there is any in it."""
        if text and not text.isspace():
            self.texts.append((part, _clean(text)))
            self.trained |= part >= SAID
            self.empty_reasoning |= part == SAID and "<" in text and _EMPTY_BLOCK.search(text) is not None


def read_row(given: Mapping[str, Any], place: str) -> Row:
    """A row as the check sees it; ``place`` names one without an id. Raises UnreadableRowError."""
    row = Row(name=_clean(str(given["id"])) if given.get("id") is not None else place)
    tokens = given.get("tokens")
    row.tokens = tokens if isinstance(tokens, int) else 0
    row.family, row.intervention = _name(given.get("family")), _name(given.get("intervention"))
    row.clauses = tuple(_clean(str(clause)) for clause in _listed(given.get("clauses"), "clauses"))
    text, messages, prompt = given.get("text"), given.get("messages"), given.get("prompt")
    if text is None and messages is None and prompt is None:
        raise UnreadableRowError("no 'messages', 'prompt' or 'text' in it")
    if text is not None:
        row.add(SAID, text_of(text))
    for turn in _listed(messages, "messages"):
        _read_turn(row, turn)
    _read_side(row, prompt, READ)
    _read_side(row, given.get("completion"), SAID)
    row.prompt_only = prompt is not None and messages is None and text is None and given.get("completion") is None
    for tool in _listed(given.get("tools"), "tools"):
        row.add(FRAME, "\n".join(_descriptions(tool)))
    return row


def _read_side(row: Row, side: object, part: int) -> None:
    """A prompt or a completion: messages, or a bare text that plays ``part``."""
    parsed = opened(side)
    if isinstance(parsed, str):
        row.add(part, parsed)
        return
    for turn in _listed(parsed, "prompt and completion"):
        _read_turn(row, turn)


def _read_turn(row: Row, given: object) -> None:
    turn = opened(given)
    if not isinstance(turn, dict):
        raise UnreadableRowError(f"a turn is an object with 'role' and 'content', not {type(given).__name__}")
    turn = cast("dict[str, Any]", turn)
    role, content = turn.get("role"), text_of(turn.get("content"))
    if not isinstance(role, str):
        raise UnreadableRowError("a turn has no 'role'")
    if role != "assistant":
        row.add(FRAME if role in _FRAMING else READ, content)
        return
    calls = _listed(turn.get("tool_calls"), "tool_calls")
    for name in _REASONING:
        thought = turn.get(name)
        if isinstance(thought, str):
            row.empty_reasoning |= not thought.strip()
            row.add(SAID, thought)
    row.add(SAID, content)
    row.empty_turns += not content.strip() and not calls
    for call in calls:
        row.trained = True
        row.add(CALLED, "\n".join(_arguments(call)))


def _listed(value: object, what: str) -> Sequence[object]:
    """A list, of which there may be none, or which stands as JSON in a column of texts."""
    if isinstance(value, str):
        value = opened(value)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise UnreadableRowError(f"{what!r} is no list but {type(value).__name__}")
    return cast("list[object]", value)


def _name(value: object) -> str | None:
    return _clean(value) if isinstance(value, str) and value else None


def _clean(text: str) -> str:
    """A text without halves of characters, which JSON can hold and no file can be written with."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _arguments(call: object) -> Iterator[str]:
    """The values that a call is given, at any depth; arguments may be an object or its JSON."""
    entry = opened(call)
    call = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    function = opened(call.get("function", call or None))
    if not isinstance(function, dict):
        raise UnreadableRowError("a tool call is an object with a 'function'")
    return _values(opened(cast("dict[str, object]", function).get("arguments")))


def _values(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _all_values(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        yield from _all_values(cast("list[object]", value))
    elif value is not None:
        yield str(value)


def _all_values(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        yield from _values(value)


def _descriptions(tool: object) -> Iterator[str]:
    """What is said of a tool and of its arguments."""
    value = opened(tool)
    if isinstance(value, dict):
        entry = cast("dict[str, object]", value)
        if isinstance(entry.get("description"), str):
            yield str(entry["description"])
        for inner in entry.values():
            if isinstance(inner, dict | list):
                yield from _descriptions(cast("object", inner))
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _descriptions(inner)
