"""Anybody's rows in the parts that describe a situation: what frames it, what people and tools say, what is offered.

Read are the conventions of Hugging Face (``messages``, ``prompt`` and ``completion``, ``chosen``, ``text``, with
``tools``), ShareGPT's (``conversations`` of ``from`` and ``value``) and Alpaca's (``instruction``, ``input``,
``output``), with the usual other names. Lists may stand as JSON text, as columns of Parquet often hold them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from teachwhy.core.shards import UnreadableRowError, opened, text_of

SYSTEM, USER, TOOL, TEXT, OFFERED = "system", "user", "tool", "text", "offered"
"""Parts that describe a situation. What the assistant says is none: an answer does not change what it answers."""

_TALKS = ("messages", "conversations", "conversation", "dialogue", "turns", "chosen")
_TOLD = ("prompt", "instruction", "question", "query", "input")
_ANSWERED = ("completion", "output", "response", "answer", "chosen")
_DOCUMENT = ("text", "document", "content")
_TOOLS = ("tools", "functions")
COLUMNS = frozenset((*_TALKS, *_TOLD, *_ANSWERED, *_DOCUMENT, *_TOOLS, "system", "system_prompt"))
"""All that is ever looked at in a row."""

_ROLES = {
    **dict.fromkeys(("system", "developer"), SYSTEM),
    **dict.fromkeys(("user", "human", "prompter"), USER),
    **dict.fromkeys(
        ("tool", "tools", "tool_response", "function", "observation", "ipython", "environment", "function_response"),
        TOOL,
    ),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "function_call", "tool_call"), "assistant"),
}
_SHOWN_TOOLS = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)
_SHOWN_NAME = re.compile(r'"name"\s*:')
_SHOWN_CALL = re.compile(r"<tool_call>|<function_call>|<\|tool_call\|>|\[TOOL_CALLS\]")


@dataclass
class Parts:
    """A row in its parts."""

    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Part to its texts, in order."""
    document: bool = False
    """Whether it is a text, and no talk."""
    offered: int = 0
    """Tools that it offers."""
    calls: int = 0
    """Calls that the assistant makes."""
    said: int = 0
    """Turns of the assistant, a wanted answer included."""
    asked: int = 0
    """Turns of a user."""
    alone: int = 0
    """The longest run of the assistant's turns without a user between."""
    empty: bool = True

    def add(self, part: str, text: str) -> None:
        """Add a text to a part, if there is any in it."""
        if text and not text.isspace():
            self.empty = False
            self.texts.setdefault(part, []).append(text)

    def joined(self, part: str) -> str:
        """All that stands in a part."""
        return "\n\n".join(self.texts.get(part, ()))


def read_parts(row: Mapping[str, Any]) -> Parts:
    """A row in its parts. Raises UnreadableRowError for a form that is not known, or for one with nothing in it."""
    parts = Parts()
    talk = next((row[name] for name in _TALKS if _is_talk(row.get(name))), None)
    if talk is not None:
        _read_system(parts, row)
        # of a preference the prompt stands by itself, or once more
        prompt = _list(row.get("prompt")) if row.get("chosen") is talk else []
        turns = _list(talk)
        _read_turns(parts, turns if turns[: len(prompt)] == prompt else [*prompt, *turns])
    elif any(row.get(name) for name in _TOLD):
        _read_system(parts, row)
        _read_pair(parts, row)
    else:
        given = next((row[name] for name in _DOCUMENT if row.get(name)), None)
        if given is None and not any(name in row for name in COLUMNS):
            raise UnreadableRowError("no 'messages', 'conversations', 'prompt', 'instruction' or 'text' in it")
        parts.document = True
        parts.add(TEXT, text_of(given))
    _read_tools(parts, row)
    if parts.empty and not parts.calls:
        raise UnreadableRowError("nothing in it")
    return parts


def _is_talk(value: object) -> bool:
    turns = opened(value)
    return isinstance(turns, list) and bool(cast("list[object]", turns))


def _are_turns(value: object) -> bool:
    return all(isinstance(opened(turn), dict) for turn in _list(value))


def _list(value: object) -> list[object]:
    items = opened(value)
    return cast("list[object]", items) if isinstance(items, list) else []


def _read_system(parts: Parts, row: Mapping[str, Any]) -> None:
    for name in ("system", "system_prompt"):
        if isinstance(row.get(name), str):
            parts.add(SYSTEM, row[name])
            return


def _read_turns(parts: Parts, turns: Sequence[object]) -> None:
    run = 0
    for given in turns:
        turn = opened(given)
        if not isinstance(turn, dict):
            raise UnreadableRowError(f"a turn is an object with a role, not {type(given).__name__}")
        turn = cast("dict[str, Any]", turn)
        role = _ROLES.get(str(turn.get("role") or turn.get("from") or turn.get("speaker") or "").lower())
        if role is None:
            raise UnreadableRowError("a turn has no 'role' or 'from' that is known")
        content = text_of(
            next((turn[name] for name in ("content", "value", "text") if turn.get(name) is not None), None)
        )
        if role != "assistant":
            parts.add(role, content)
            parts.asked += role == USER
            run = 0 if role == USER else run
            continue
        run += 1
        parts.alone = max(parts.alone, run)
        _read_answer(parts, turn, content)


def _read_answer(parts: Parts, turn: Mapping[str, Any], content: str) -> None:
    parts.said += 1
    parts.empty &= not content or content.isspace()
    calls = _list(turn.get("tool_calls"))
    parts.calls += len(calls) or bool(turn.get("function_call")) or turn.get("from") in ("function_call", "tool_call")
    if not calls and ("<" in content or "[TOOL" in content):
        parts.calls += len(_SHOWN_CALL.findall(content))


def _read_pair(parts: Parts, row: Mapping[str, Any]) -> None:
    """A question and its answer, each as text or as turns; without an answer a prompt for reinforcement learning."""
    for name in _TOLD:
        told = row.get(name)
        if _is_talk(told) and _are_turns(told):
            _read_turns(parts, _list(told))
        elif told:
            parts.add(USER, text_of(told))
            parts.asked = max(parts.asked, 1)
    answer = next((row[name] for name in _ANSWERED if row.get(name)), None)
    if _is_talk(answer) and _are_turns(answer):
        _read_turns(parts, _list(answer))
    else:
        _read_answer(parts, {}, text_of(answer))
    parts.alone = max(parts.alone, 1)


def _read_tools(parts: Parts, row: Mapping[str, Any]) -> None:
    for name in _TOOLS:
        for tool in _list(row.get(name)):
            parts.offered += 1
            parts.add(OFFERED, " ".join(_descriptions(opened(tool))))
    if not parts.offered:
        for text in parts.texts.get(SYSTEM, ()):
            if "<tools>" in text:
                shown = _SHOWN_TOOLS.search(text)
                parts.offered += len(_SHOWN_NAME.findall(shown[1])) if shown else 0


def _descriptions(tool: object) -> list[str]:
    """A tool's name and what is said of it."""
    if not isinstance(tool, dict):
        return [str(tool)]
    entry = cast("dict[str, Any]", tool)
    function = entry.get("function", entry)
    if not isinstance(function, dict):
        return []
    told = cast("dict[str, Any]", function)
    return [str(told.get(name) or "").replace("_", " ") for name in ("name", "description")]
