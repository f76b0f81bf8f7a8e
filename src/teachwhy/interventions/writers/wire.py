"""Between our records and Inspect's: opening a model, turns and tools on their way out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams

from teachwhy.core.errors import ModelError, TeachwhyError
from teachwhy.core.records import Message
from teachwhy.interventions.writers.roles import ROLES, Binding, Roles

_RETRIES = 3
_MARKUP = re.compile(r"\[/?[a-z ]+\]")
"""Colours in Inspect's messages."""


def open_model(binding: Binding, connections: int, timeout: int) -> Model:
    """The model of a binding; ``timeout`` is in seconds, for one try.

    Raises ModelError in one line for one that does not open: a wrong name, no key, a missing package.
    """
    config = GenerateConfig(
        max_connections=connections, adaptive_connections=False, max_retries=_RETRIES, attempt_timeout=timeout
    )
    try:
        return get_model(binding.model, config=config, memoize=False, **binding.args)
    except TeachwhyError:
        raise
    except Exception as error:  # Inspect and the providers each have their own
        reason = _MARKUP.sub("", " ".join(str(error).split())) or type(error).__name__
        raise ModelError(f"cannot open the writer {binding.model!r}: {reason}") from None


def open_models(roles: Roles) -> None:
    """Open every role's model, so that a wrong name or a missing key is found before anything is written or spent."""
    opened: list[Binding] = []
    for binding in map(roles.of, ROLES):
        if binding not in opened:
            open_model(binding, connections=1, timeout=1)
            opened.append(binding)


def to_turns(messages: Sequence[Message]) -> list[ChatMessage]:
    """Our turns as Inspect's; each result of a tool answers the call before it."""
    turns: list[ChatMessage] = []
    last = ""
    for number, message in enumerate(messages):
        if message.role == "system":
            turns.append(ChatMessageSystem(content=message.content))
        elif message.role == "user":
            turns.append(ChatMessageUser(content=message.content))
        elif message.role == "tool":
            turns.append(ChatMessageTool(content=message.content, function=message.name, tool_call_id=last))
        else:
            calls = [_call(entry, f"call-{number}-{at}") for at, entry in enumerate(message.tool_calls)]
            last = calls[-1].id if calls else ""
            turns.append(ChatMessageAssistant(content=message.content, tool_calls=calls or None))
    return turns


def _call(entry: Mapping[str, Any], name: str) -> ToolCall:
    function = entry["function"]
    return ToolCall(id=name, function=function["name"], arguments=dict(function["arguments"]))


def to_tools(schemas: Sequence[Mapping[str, Any]]) -> list[ToolInfo]:
    """JSON schemas of the ``tools`` convention as Inspect's."""
    return [
        ToolInfo(
            name=schema["function"]["name"],
            description=schema["function"].get("description", ""),
            parameters=ToolParams.model_validate(schema["function"].get("parameters", {})),
        )
        for schema in schemas
    ]
