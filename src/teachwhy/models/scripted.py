"""Models that follow a script: they drive the real pipeline in tests, and show what it does without weights.

``--model teachwhy-scripted/NAME``. No result of such a model says anything about a model.
"""

from __future__ import annotations

from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput
from inspect_ai.tool import ToolChoice, ToolInfo

from teachwhy.core.errors import ModelError, guess

SCRIPTS = {
    "first-tool": "calls the first tool with the first choice of every argument, then says it is done",
    "silent": "says nothing at all",
    "rambling": "is cut off by the token limit",
    "garbled": "makes a call that cannot be read",
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
        if not tools or (input[-1].role == "tool" and tool_choice == "auto"):
            return ModelOutput.from_content(name, "It is done.")
        values = {
            argument: (what.enum or ["As you asked."])[0] for argument, what in tools[0].parameters.properties.items()
        }
        return ModelOutput.for_tool_call(name, tools[0].name, values)
