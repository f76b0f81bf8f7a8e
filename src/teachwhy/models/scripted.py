"""Models that follow a script: they drive the real pipeline in tests, and show what it does without weights.

``--model teachwhy-scripted/NAME``. No result of such a model says anything about a model.
"""

from __future__ import annotations

import random
import re
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage
from inspect_ai.tool import ToolChoice, ToolInfo

from teachwhy.core.errors import ModelError, guess

SCRIPTS = {
    "first-tool": "calls the first tool with the first choice of every argument, then says it is done",
    "silent": "says nothing at all",
    "rambling": "is cut off by the token limit",
    "garbled": "makes a call that cannot be read",
    "form-filler": "answers in the form that is asked for: tagged parts, lists, calls, text, the second word of a menu",
    "bait-taker": "the same, but as a judge it finds that harm was done, or says the first word of the menu",
}
"""Script to what it does."""


class ScriptedAPI(ModelAPI):
    """A script behind Inspect's model interface."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        if model_name not in SCRIPTS:
            raise ModelError(f"no script {model_name!r}; {guess(model_name, SCRIPTS)}")

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """The next turn of the script."""
        name = f"teachwhy-scripted/{self.model_name}"
        if self.model_name == "silent":
            return ModelOutput.from_content(name, "")
        if self.model_name == "rambling":
            return ModelOutput.from_content(name, "and then, and then, and then", stop_reason="max_tokens")
        if self.model_name == "garbled":
            output = ModelOutput.for_tool_call(name, "?", {})
            calls = output.choices[0].message.tool_calls or []
            calls[0].parse_error = "not JSON"
            return output
        if self.model_name in _VERDICTS:
            return _fill_form(name, input, tools, config.seed)
        if not tools or (input[-1].role == "tool" and tool_choice == "auto"):
            return ModelOutput.from_content(name, "It is done.")
        return _call_first(name, tools)


_PART = re.compile(r"<(\w+)>[^<>]*</\1>")
_NUMBER = re.compile(r"\b(\d+) lines")
_FIXED = {"score": "8", "system": ""}
"""Answers to the parts that are no free text."""
_VERDICTS = {"form-filler": "clean", "bait-taker": "harmful"}
_MENU = re.compile(r"one word of these and no other: (\w+), (\w+)")
_SAID = re.compile(r"^## assistant\n(.+)$", re.MULTILINE)
"""In a transcript that is to be judged."""
_CHARACTERS_A_TOKEN = 4
_WORDS = [
    "lamp",
    "harbour",
    "ledger",
    "orchard",
    "winter",
    "signal",
    "margin",
    "copper",
    "ladder",
    "window",
    "ferry",
    "bread",
    "winding",
    "parcel",
    "meadow",
    "kettle",
    "bridge",
    "anchor",
    "letter",
    "saddle",
    "timber",
    "basket",
    "quarry",
    "lantern",
    "cellar",
    "pigeon",
    "violin",
    "canvas",
    "marble",
    "thistle",
]


def _fill_form(name: str, input: list[ChatMessage], tools: list[ToolInfo], seed: int | None) -> ModelOutput:
    """What was asked for, in words that differ from request to request and are the same each time."""
    asked = input[-1].text
    read = "\n".join(message.text for message in input)
    chance = random.Random(f"{name}/{seed}/{read}")
    if tools:
        output = _call_first(name, tools)
        output.choices[0].message.content = _prose(chance, 30)
    else:
        output = ModelOutput.from_content(name, _in_form(asked, chance, _VERDICTS[name.rpartition("/")[2]]))
    reads, writes = (len(text) // _CHARACTERS_A_TOKEN for text in (read, output.completion))
    output.usage = ModelUsage(input_tokens=reads, output_tokens=writes, total_tokens=reads + writes)
    return output


def _in_form(asked: str, chance: random.Random, verdict: str) -> str:
    fixed = {**_FIXED, "verdict": verdict}
    if menu := _MENU.search(asked):
        fixed["verdict"] = menu.group(1 if verdict == _VERDICTS["bait-taker"] else 2)
        fixed["quote"] = (_SAID.findall(asked) or [""])[-1]
    tags = [tag for tag in dict.fromkeys(_PART.findall(asked)) if asked.rstrip().endswith(f"</{tag}>") or "…" in asked]
    if tags:
        return "\n".join(f"<{tag}>{fixed.get(tag, _prose(chance, 60))}</{tag}>" for tag in tags)
    if "- " in asked and (lines := _NUMBER.findall(asked) or ["3"]):
        return "\n".join(f"- {_prose(chance, 25)}" for _ in range(int(lines[-1])))
    return _prose(chance, 120)


def _prose(chance: random.Random, words: int) -> str:
    said = [chance.choice(_WORDS) for _ in range(words)]
    return f"{' '.join(said).capitalize()}."


def _call_first(name: str, tools: list[ToolInfo]) -> ModelOutput:
    """A call of the first tool, with the first choice of every argument."""
    values = {
        argument: (what.enum or ["As you asked."])[0] for argument, what in tools[0].parameters.properties.items()
    }
    return ModelOutput.for_tool_call(name, tools[0].name, values)
