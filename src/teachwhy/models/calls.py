"""Tool calls in text: how the model says one, and how one is read out of what it said."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from inspect_ai.tool import ToolCall

BEGIN, END = "<tool_call>", "</tool_call>"
_CALL = re.compile(re.escape(BEGIN) + r"(.*?)(?:" + re.escape(END) + r"|\Z)", re.DOTALL)


def split_calls(text: str) -> tuple[str, list[ToolCall]]:
    """What was said apart from calls, and the calls; one that cannot be read carries a ``parse_error``."""
    calls = [_read(body, number) for number, body in enumerate(_CALL.findall(text))]
    return _CALL.sub("", text).strip(), calls


def _read(body: str, number: int) -> ToolCall:
    name = f"call-{number}"
    try:
        data: Any = json.loads(body)
    except json.JSONDecodeError as error:
        return ToolCall(id=name, function="?", arguments={}, parse_error=f"not JSON: {error.msg}")
    if not isinstance(data, dict) or not isinstance(cast("dict[str, Any]", data).get("arguments"), dict):
        return ToolCall(id=name, function="?", arguments={}, parse_error="no object with a name and arguments")
    call = cast("dict[str, Any]", data)
    return ToolCall(id=name, function=str(call.get("name")), arguments=call["arguments"])
