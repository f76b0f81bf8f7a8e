"""The grammar under which a tool call is decoded: one of the offered tools, in the form the model was taught."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_STRING = 'chars ::= ("\\\\" ["\\\\/bfnrt] | [^"\\\\\\x00-\\x1F])*'
# The engine writes ü as \xfc to itself, and then reads a hexadecimal digit behind it as one more of that number.
_PARTING = re.compile(r"(?<=[^ -~])(?=[0-9A-Fa-f])")


def tool_call_grammar(tools: Sequence[Mapping[str, Any]]) -> str:
    """An EBNF grammar for ``{"name": …, "arguments": {…}}</tool_call>`` over JSON-schema tools.

    White space stands as ``json.dumps`` puts it, so that constrained text is text the model has seen. Arguments are
    strings, free or from an ``enum``, in the schema's order.
    """
    rules = ["root ::= " + " | ".join(f"tool{number}" for number in range(len(tools)))]
    for number, tool in enumerate(tools):
        function = tool.get("function", tool)
        name = json.dumps(function["name"], ensure_ascii=False)
        parts = [_literal(f'{{"name": {name}, "arguments": {{')]
        for at, (argument, what) in enumerate(function["parameters"].get("properties", {}).items()):
            parts.append(_literal(f"{', ' if at else ''}{json.dumps(argument, ensure_ascii=False)}: "))
            parts.append(_value(what))
        parts.append(_literal("}}</tool_call>"))
        rules.append(f"tool{number} ::= {' '.join(parts)}")
    return "\n".join([*rules, _STRING])


def _value(what: Mapping[str, Any]) -> str:
    choices = what.get("enum")
    if choices:
        return "(" + " | ".join(_literal(json.dumps(choice, ensure_ascii=False)) for choice in choices) + ")"
    return r'"\"" chars "\""'


def _literal(text: str) -> str:
    return " ".join(json.dumps(part, ensure_ascii=False) for part in _PARTING.split(text))
