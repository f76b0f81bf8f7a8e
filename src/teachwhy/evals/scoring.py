"""How verdicts travel: from a sample's scorer into its Inspect score, and out of a log again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessage
from inspect_ai.scorer import SampleScore, Score, metric
from inspect_ai.solver import Generate, Solver, TaskState, solver

from teachwhy.core.records import Verdict
from teachwhy.evals.evaluation import OnSample

MOST_FAILED = 0.99
"""Single failures are void; a task of which a larger share fails ends the run: its model cannot do this at all."""


def sample(id: str, input: str | list[ChatMessage], voids: Sequence[Verdict], **metadata: Any) -> Sample:
    """A sample that carries what it counts as if it fails: its verdicts, without a value."""
    empty = [void.model_copy(update={"value": None}).model_dump(mode="json") for void in voids]
    return Sample(id=id, input=input, metadata={**metadata, "voids": empty})


def like(state: TaskState) -> Verdict:
    """The first thing that is looked at in a sample, still without a value: what its verdicts are made from."""
    first = cast("list[dict[str, Any]]", state.metadata["voids"])[0]
    return Verdict.model_validate(first).model_copy(update={"sample": state.epoch})


def carry(verdicts: Sequence[Verdict]) -> Score:
    """The score of a sample: a value for each thing that was looked at, and the verdicts themselves for us.

    Void is Inspect's sign for what could not be scored, NaN: its own reducers and metrics then never count it as 0.
    """
    first = verdicts[0]
    value = {one.dimension: math.nan if one.value is None else one.value for one in verdicts}
    entries = [verdict.model_dump(mode="json") for verdict in verdicts]
    return Score(value=value, explanation=first.quote or first.reason, metadata={"verdicts": entries})


def verdicts_of(found: EvalSample) -> list[Verdict]:
    """What a logged sample counts as: its last score's verdicts; where it has none, its voids, with the reason.

    One that failed stays void however often it is graded: what it had done until then is not all it would have done.
    """
    scored = [verdict for score in [*(found.scores or {}).values()][-1:] for verdict in read_score(score)]
    if found.scores and not found.error:
        return scored
    reason = f"void: error: {found.error.message if found.error else 'not scored'}"
    empty: dict[str, Any] = {
        "sample": found.epoch,
        "value": None,
        "grader": "none",
        "quote": "",
        "reason": reason,
        "opinions": {},
    }
    voids = [Verdict.model_validate(entry) for entry in cast("list[dict[str, Any]]", found.metadata["voids"])]
    return [void.model_copy(update=empty) for void in scored or voids]


def read_score(score: Score) -> list[Verdict]:
    """The verdicts that a score carries."""
    entries = cast("list[dict[str, Any]]", (score.metadata or {}).get("verdicts", []))
    return [Verdict.model_validate(entry) for entry in entries]


@solver
def tell(on_sample: OnSample | None) -> Solver:
    """Say that a sample is done: the last link of every chain of solvers."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if on_sample is not None:
            on_sample()
        return state

    return solve


@metric(scores="unreduced")
def shares() -> Any:
    """The mean of each dimension by side, and the share that is void, for Inspect's own summary of a log.

    Over every sample of a scene: a reducer would hand over one sample of each.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        values: dict[tuple[str, str], list[float | None]] = {}
        for score in scores:
            for verdict in read_score(score.score):
                values.setdefault((verdict.dimension, verdict.side), []).append(verdict.value)
        found: dict[str, float] = {}
        for (dimension, side), given in sorted(values.items()):
            name = f"{dimension} ({side})" if side else dimension
            judged = [value for value in given if value is not None]
            if judged:
                found[name] = sum(judged) / len(judged)
            found[f"void: {name}"] = 1 - len(judged) / len(given)
        return found

    return compute
