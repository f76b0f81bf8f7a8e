"""Between our records and Inspect's: turns, tools, and the seed of a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
)
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams

from teachwhy.core.records import Message

_OPENING = "opening"
"""The id of calls that were written, not made."""


def to_chat(turn: Message) -> ChatMessage:
    """A written turn as Inspect's message."""
    if turn.role == "system":
        return ChatMessageSystem(content=turn.content)
    if turn.role == "user":
        return ChatMessageUser(content=turn.content)
    if turn.role == "tool":
        return ChatMessageTool(content=turn.content, function=turn.name, tool_call_id=_OPENING)
    calls = [
        ToolCall(id=_OPENING, function=entry["function"]["name"], arguments=entry["function"]["arguments"])
        for entry in turn.tool_calls
    ]
    return ChatMessageAssistant(content=turn.content, tool_calls=calls or None)


def from_chat(message: ChatMessage) -> Message:
    """Inspect's message as our record; a call that could not be read keeps its error."""
    entries: list[dict[str, Any]] = []
    for call in (message.tool_calls or []) if isinstance(message, ChatMessageAssistant) else []:
        function: dict[str, Any] = {"name": call.function, "arguments": call.arguments}
        if call.parse_error:
            function["error"] = call.parse_error
        entries.append({"type": "function", "function": function})
    return Message(role=message.role, content=_said(message), tool_calls=tuple(entries))


def _said(message: ChatMessage) -> str:
    """The text of a message, what the model thought before it in front: who reads a transcript must see both."""
    parts = [] if isinstance(message.content, str) else message.content
    given = [(part.summary if part.redacted else part.reasoning) or "" for part in parts if part.type == "reasoning"]
    return "\n".join([*(f"<think>{thought}</think>" for thought in given if thought.strip()), message.text])


def to_tools(schemas: Sequence[Mapping[str, Any]]) -> list[ToolInfo]:
    """JSON schemas of the ``tools`` convention as Inspect's tools."""
    return [
        ToolInfo(
            name=schema["function"]["name"],
            description=schema["function"]["description"],
            parameters=ToolParams.model_validate(schema["function"]["parameters"]),
        )
        for schema in schemas
    ]


def seeded(*parts: object) -> GenerateConfig:
    """A seed of its own for each sample and turn, from what names them."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()
    return GenerateConfig(seed=int(digest[:8], 16))
