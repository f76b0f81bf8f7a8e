"""Drives an Inspect task without an evaluation: what its solvers ask, and what its scorers say to an answer.

The solvers run with a model that says one given text and then falls silent, so whatever they do to a prompt (a
template, a system message, lettered choices) is done here as well. Reaches into Inspect for what an evaluation sets up
around a sample (``_eval.context``, ``log._transcript``); written for 0.3.250 and later.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from inspect_ai import Task
from inspect_ai._eval.context import init_task_context  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.dataset import Sample
from inspect_ai.log._transcript import Transcript, init_transcript
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelName,
    ModelOutput,
    get_model,
    modelapi,
)
from inspect_ai.scorer import Score, Scorer, Target, value_to_float
from inspect_ai.solver import Solver, TaskState, chain
from inspect_ai.tool import ToolCall, ToolChoice, ToolDef, ToolInfo
from inspect_ai.util._store import init_subtask_store

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Message
from teachwhy.models.calls import split_calls

NAME = "teachwhy-written/answer"
"""What the scorers are told that the model is called."""

_to_float = value_to_float()
_LETTERS = ("c", "i", "p", "n", "yes", "no", "true", "false")

Asked = tuple[tuple[Message, ...], tuple[dict[str, Any], ...]]
"""Messages, and the tools' JSON schemas."""


class _SilentError(Exception):
    """The model has said what it had to say."""


class _Written(ModelAPI):
    """A model that says one text, when it is asked first; it keeps what it was asked."""

    def __init__(self, model_name: str, *_: Any, text: str | None = None, **__: Any) -> None:
        super().__init__(model_name)
        self.text = text
        self.asked: Asked | None = None
        self.judging = False

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """The text, once."""
        if self.judging:
            raise ConfigError(
                "the scorer asks the model itself to judge, and that model is being trained; give the scorer a model"
            )
        if self.asked is not None or self.text is None:
            self.asked = self.asked or (tuple(map(_message, input)), tuple(map(_schema, tools)))
            raise _SilentError
        self.asked = tuple(map(_message, input)), tuple(map(_schema, tools))
        return written(self.text)


@modelapi(name="teachwhy-written")
def _written() -> type[ModelAPI]:  # pyright: ignore[reportUnusedFunction]
    return _Written


def _open(text: str | None) -> tuple[Model, _Written]:
    model = get_model(NAME, memoize=False, text=text)
    return model, cast("_Written", model.api)


def written(text: str) -> ModelOutput:
    """A text as the output of a model, its calls read out of it."""
    said, calls = split_calls(text)
    message = ChatMessageAssistant(content=said, tool_calls=calls or None, source="generate", model=NAME)
    choice = ChatCompletionChoice(message=message, stop_reason="tool_calls" if calls else "stop")
    return ModelOutput(model=NAME, choices=[choice])


@dataclass(frozen=True)
class Opened:
    """A task with all that is needed to ask and to score."""

    name: str
    version: str
    samples: Mapping[str, Sample]
    solver: Solver
    scorers: Sequence[Scorer]
    roles: dict[str, Any]

    async def asks(self, id: str) -> Asked:
        """What the model is asked first in this sample; ConfigError where it is asked nothing."""
        model, speaker = _open(None)
        await self._solve(self.samples[id], model, speaker)
        if speaker.asked is None:
            raise ConfigError(f"{self.name}: its solvers ask the model nothing in sample {id!r}, so nothing is trained")
        return speaker.asked

    async def score(self, id: str, said: str) -> float | None:
        """The reward of an answer; None is void. Raises ConfigError for a sample that there is not."""
        if id not in self.samples:
            raise ConfigError(f"{self.name} has no prompt {id!r}; give prompts of this environment")
        model, speaker = _open(said)
        state = await self._solve(self.samples[id], model, speaker)
        speaker.judging = True
        values = [_value(await scorer(state, state.target)) for scorer in self.scorers]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if len(known) == len(values) else None

    async def _solve(self, sample: Sample, model: Model, speaker: _Written) -> TaskState:
        """The state that the solvers leave behind; cut short where they ask for more than was written."""
        text = sample.input
        turns = [ChatMessageUser(content=text, source="input")] if isinstance(text, str) else copy.deepcopy(text)
        state = TaskState(
            model=ModelName(NAME),
            sample_id=sample.id or 0,
            epoch=1,
            input=text,
            messages=list(turns),
            target=Target(sample.target),
            choices=sample.choices,
            metadata=copy.deepcopy(sample.metadata) or {},
        )
        init_task_context(model, self.roles)
        init_subtask_store(state.store)
        init_transcript(Transcript())

        async def generate(state: TaskState, *_: Any, **__: Any) -> TaskState:
            infos = [_info(ToolDef(tool)) for tool in state.tools]
            state.output = await speaker.generate(state.messages, infos, "auto", GenerateConfig())
            state.messages.append(state.output.message)
            return state

        with suppress(_SilentError):
            state = await self.solver(state, generate)
        return state


def open_task(name: str, task: Task) -> Opened:
    """Make a task ready. Raises ConfigError for one without a scorer, without samples, or in need of a sandbox."""
    if not task.scorer:
        raise ConfigError(f"{name} has no scorer, so nothing says what to reward; give a task with a scorer")
    samples = {str(sample.id if sample.id is not None else at): sample for at, sample in enumerate(task.dataset, 1)}
    if not samples:
        raise ConfigError(f"{name} has no samples, so there is nothing to train on; give a task with samples")
    if len(samples) < len(task.dataset):
        raise ConfigError(f"{name} has two samples of the same id; give every sample an id of its own")
    if task.sandbox is not None or any(sample.sandbox for sample in samples.values()):
        raise ConfigError(f"{name} runs in a sandbox, which training has none of; give a task without one")
    setup = task.setup if isinstance(task.setup, list) else [task.setup] if task.setup is not None else []
    return Opened(
        name=name,
        version=str(task.version),
        samples=samples,
        solver=chain(*cast("list[Solver]", setup), task.solver),
        scorers=list(task.scorer),
        roles=dict(task.model_roles or {}),
    )


def _value(score: Score | None) -> float | None:
    return None if score is None else _number(score.value)


def _number(value: object) -> float | None:
    """A score's value as a number; None for what is no number and stands for none, such as ``void``."""
    if isinstance(value, Mapping):
        value = list(cast("Mapping[str, object]", value).values())
    if isinstance(value, list | tuple):
        parts = [_number(part) for part in cast("Sequence[object]", value)]
        known = [part for part in parts if part is not None]
        return sum(known) / len(known) if parts and len(known) == len(parts) else None
    if isinstance(value, str) and value.lower() not in _LETTERS:
        with suppress(ValueError):
            return _number(float(value))
        return None
    number = _to_float(cast("Any", value)) if isinstance(value, str | bool | int | float) else math.nan
    return number if math.isfinite(number) else None


def _info(tool: ToolDef) -> ToolInfo:
    return ToolInfo(name=tool.name, description=tool.description, parameters=tool.parameters)


def _schema(tool: ToolInfo) -> dict[str, Any]:
    parameters = tool.parameters.model_dump(exclude_none=True)
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _message(turn: ChatMessage) -> Message:
    if not isinstance(turn.content, str) and any(part.type not in ("text", "reasoning") for part in turn.content):
        raise ConfigError("a prompt holds more than text, which these models cannot read; give a task of text alone")
    calls = (turn.tool_calls or []) if isinstance(turn, ChatMessageAssistant) else []
    return Message(role=turn.role, content=turn.text, tool_calls=tuple(map(_entry, calls)))


def _entry(call: ToolCall) -> dict[str, Any]:
    return {"type": "function", "function": {"name": call.function, "arguments": call.arguments}}
