"""Questions without a world: put one and keep the answer, or set written answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from inspect_ai.model import get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from teachwhy.core.records import Message
from teachwhy.core.thoughts import outward
from teachwhy.evals import scoring
from teachwhy.evals.alternatives import log_likelihoods, per_word, preference
from teachwhy.evals.turns import from_chat, seeded, to_tools

TOKENS = 2048
"""Room for an answer of a model that may think first."""

_CUT = ("max_tokens", "model_length")
_ENDED = ("stop", "tool_calls", "unknown")


@solver
def answer(seed: int, tokens: int = 0) -> Solver:
    """Put the question, with the ``tools`` in the sample's metadata, if there are any; then one call is required.

    ``tokens`` is the room for an answer; 0 for the ``room`` in the metadata where the model runs on this machine, and
    so is small and slow, and for ``TOKENS`` where it does not.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, schemas = get_model(), cast("list[dict[str, Any]]", state.metadata.get("tools", []))
        room = tokens or (int(state.metadata["room"]) if hasattr(model.api, "log_likelihoods") else TOKENS)
        state.output = await model.generate(
            state.messages,
            tools=to_tools(schemas),
            tool_choice="any" if schemas else None,
            config=seeded(seed, state.sample_id, state.epoch).model_copy(update={"max_tokens": room}),
        )
        state.messages.append(state.output.message)
        state.metadata["stop"] = str(state.output.stop_reason)
        return state

    return solve


@solver
def compare() -> Solver:
    """How likely are the answers ``first`` and ``second`` of the sample's metadata, as an answer to its question?"""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        first, second = (cast("list[str]", state.metadata[name]) for name in ("first", "second"))
        asked = Message(role="user", content=state.input_text)
        turns = [Message(role="assistant", content=text).row() for text in (*first, *second)]
        logs = await log_likelihoods(get_model(), [asked.row()], [], turns)
        state.metadata["logs"] = {"first": logs[: len(first)], "second": logs[len(first) :]}
        return state

    return solve


@scorer(metrics=[scoring.shares()])
def by_likelihood() -> Scorer:
    """The share of the first answers, by likelihood per word, from what ``compare`` found; void where it failed."""

    async def score(state: TaskState, target: Target) -> Score:
        found = {"value": _preferred(state), "grader": "likelihood"}
        return scoring.carry([scoring.like(state).model_copy(update=found)])

    return score


def _preferred(state: TaskState) -> float | None:
    logs = cast("dict[str, list[float]] | None", state.metadata.get("logs"))
    if logs is None:
        return None
    return preference(*(per_word(logs[name], state.metadata[name]) for name in ("first", "second")))


def transcript(state: TaskState) -> list[Message]:
    """What was said, as our records."""
    return [from_chat(message) for message in state.messages]


def void_reason(state: TaskState, turns: Sequence[Message]) -> str:
    """Why an answer is none: it was cut off, the provider stopped it, it is empty or holds a call that cannot be read.

    Empty if it is one.
    """
    stop = str(state.metadata.get("stop", "unknown"))
    said = [turn for turn in turns if turn.role == "assistant"]
    if stop in _CUT:
        return f"cut off ({stop})"
    if stop not in _ENDED:
        return f"stopped by the provider ({stop})"
    if not said or not (outward(said[-1].content) or said[-1].tool_calls):
        return "empty"
    errors = [entry["function"]["error"] for entry in said[-1].tool_calls if "error" in entry["function"]]
    return f"a call that cannot be read: {errors[0]}" if errors else ""
