"""A model that finds a written answer likely if it holds a word, ``scales/<word>``, and says what a test wrote down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as run_eval  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from teachwhy.core.records import Verdict
from teachwhy.evals.scoring import verdicts_of

LIKED: set[str] = set()
"""Written answers that it finds likely."""
SAYS: dict[str, ModelOutput | str] = {}
"""Question to what it answers; ``""`` for all others."""
ASKED: list[tuple[str, GenerateConfig, ToolChoice]] = []


class ScalesAPI(ModelAPI):
    def __init__(self, model_name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(model_name)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        ASKED.append((input[-1].text, config, tool_choice))
        said = SAYS.get(input[-1].text, SAYS.get("", "I see."))
        return said if isinstance(said, ModelOutput) else ModelOutput.from_content("scales/liking", said)

    async def log_likelihoods(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], turns: Sequence[dict[str, Any]]
    ) -> list[float]:
        if not LIKED:
            raise RuntimeError("the scales are broken")
        assert [message["role"] for message in messages] == ["user"]
        return [-1.0 if turn["content"] in LIKED else -30.0 for turn in turns]


@modelapi(name="scales")
def scales() -> type[ModelAPI]:
    return ScalesAPI


def clear() -> None:
    LIKED.clear()
    SAYS.clear()
    ASKED.clear()


def run(task: Task, folder: Any, model: str = "scales/liking") -> EvalLog:
    return run_eval(task, model=model, log_dir=str(folder), display="none", score_display=False)[0]


def verdicts(log: EvalLog) -> list[Verdict]:
    assert log.status == "success", log.error
    return [verdict for sample in log.samples or [] for verdict in verdicts_of(sample)]
