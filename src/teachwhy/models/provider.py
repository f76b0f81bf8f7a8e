"""Inspect's door to our checkpoints: ``--model teachwhy/<checkpoint folder or model name>``.

Samples on a CPU by OpenVINO GenAI. ``tool_choice="any"`` lets the model say what it likes first, then decodes one call
under the grammar of the offered tools. Beyond Inspect's interface it tells likelihoods of written turns.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from teachwhy.core.errors import ModelError
from teachwhy.models.calls import BEGIN, split_calls
from teachwhy.models.catalogue import bundled_gguf, resolve
from teachwhy.models.gguf import write_gguf
from teachwhy.models.grammar import tool_call_grammar
from teachwhy.models.likelihood import log_likelihoods
from teachwhy.models.sampler import Request, Sampled, Sampler
from teachwhy.models.weights import load_model, load_tokenizer

MOST_TOKENS = 256
"""Sampled tokens a turn where the caller sets no limit."""
_PREAMBLE = 120
"""Tokens that a model may spend on reasons before a required call."""


class TeachwhyAPI(ModelAPI):
    """A checkpoint folder, or a name of the catalogue, behind Inspect's model interface."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        if model_args:
            raise ModelError(f"teachwhy/ takes no model arguments; it was given {', '.join(sorted(model_args))}")
        self._folder = resolve(model_name)
        self._tokenizer: Any = load_tokenizer(self._folder)
        self._sampler: Sampler | None = None
        self._scorer: Any = None
        self._scratch: Path | None = None

    def max_connections(self) -> int:
        """As many as fit one batch of the sampler several times over."""
        return 256

    def close(self) -> None:
        """Stop the sampler and remove its scratch file."""
        if self._sampler is not None:
            self._sampler.close()
            self._sampler = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def aclose(self) -> None:
        """The same as ``close``."""
        self.close()

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Sample one turn; what a token limit cut off has the stop reason ``max_tokens``."""
        schemas = [_schema(tool) for tool in tools] if tool_choice != "none" else []
        prompt = self._render([_row(message) for message in input], schemas)
        must_call = bool(schemas) and (tool_choice == "any" or not isinstance(tool_choice, str))
        if not isinstance(tool_choice, str):
            schemas = [schema for schema in schemas if schema["function"]["name"] == tool_choice.name]
        seed = config.seed if config.seed is not None else int(hashlib.sha256(prompt.encode()).hexdigest()[:8], 16)
        request = Request(
            prompt=self._ids(prompt),
            max_tokens=config.max_tokens or MOST_TOKENS,
            temperature=config.temperature if config.temperature is not None else 1.0,
            top_p=config.top_p if config.top_p is not None else 1.0,
            seed=seed,
        )
        text, used, finished = await (self._call(prompt, request, schemas) if must_call else self._talk(request))
        said, calls = split_calls(text)
        message = ChatMessageAssistant(content=said, tool_calls=calls or None, source="generate", model=self.model_name)
        stop = "max_tokens" if not finished else "tool_calls" if calls else "stop"
        usage = ModelUsage(
            input_tokens=len(request.prompt), output_tokens=used, total_tokens=len(request.prompt) + used
        )
        choice = ChatCompletionChoice(message=message, stop_reason=stop)
        return ModelOutput(model=self.model_name, choices=[choice], usage=usage)

    async def log_likelihoods(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], turns: Sequence[dict[str, Any]]
    ) -> list[float]:
        """Log probability in nats of each written assistant turn after ``messages``; rows and JSON-schema tools."""
        prompt = self._render(messages, tools)
        ends = [self._render([*messages, turn], tools, ask=False)[len(prompt) :].rstrip("\n") for turn in turns]
        if self._scorer is None:
            self._scorer = load_model(self._folder, torch.bfloat16).eval()
        return log_likelihoods(self._scorer, self._ids(prompt), [self._ids(end) for end in ends])

    async def _talk(self, request: Request) -> tuple[str, int, bool]:
        sampled = await self._sample(request)
        return self._text(sampled), len(sampled.tokens), sampled.finished

    async def _call(self, prompt: str, request: Request, schemas: Sequence[dict[str, Any]]) -> tuple[str, int, bool]:
        """Reasons first, as many as the model likes up to a limit; then a call under the grammar."""
        opening = Request(
            request.prompt,
            min(_PREAMBLE, request.max_tokens),
            request.temperature,
            request.seed,
            request.top_p,
            (BEGIN,),
        )
        before = await self._sample(opening)
        reasons = self._text(before).split(BEGIN)[0].strip()
        head = f"{reasons}\n{BEGIN}" if reasons else BEGIN
        rest = Request(
            prompt=self._ids(prompt + head),
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            seed=request.seed,
            top_p=request.top_p,
            grammar=tool_call_grammar(schemas),
        )
        call = await self._sample(rest)
        return head + self._text(call), len(before.tokens) + len(call.tokens), call.finished

    async def _sample(self, request: Request) -> Sampled:
        if self._sampler is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="teachwhy-"))
            write_gguf(self._folder, bundled_gguf(), self._scratch / "model.gguf")
            self._sampler = Sampler(self._scratch / "model.gguf")
        return await asyncio.wrap_future(self._sampler.submit(request))

    def _text(self, sampled: Sampled) -> str:
        return str(self._tokenizer.decode(list(sampled.tokens), skip_special_tokens=True))

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _render(self, rows: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], *, ask: bool = True) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                list(rows), tools=list(tools) or None, tokenize=False, add_generation_prompt=ask
            )
        )


def _schema(tool: ToolInfo) -> dict[str, Any]:
    parameters = tool.parameters.model_dump(exclude_none=True)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _row(message: ChatMessage) -> dict[str, Any]:
    row: dict[str, Any] = {"role": message.role, "content": message.text}
    if isinstance(message, ChatMessageAssistant) and message.tool_calls:
        row["tool_calls"] = [
            {"type": "function", "function": {"name": call.function, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return row
