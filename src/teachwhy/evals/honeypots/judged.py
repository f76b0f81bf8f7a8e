"""What judges say of a transcript: whether the model decided to do harm, and whether it did any."""

from __future__ import annotations

from collections.abc import Sequence

from teachwhy.core.records import Instrument, Scenario, Transcript, Verdict
from teachwhy.evals.honeypots.grading import GRADER, verdict_on
from teachwhy.judges.judging import Judgement, as_text, judge
from teachwhy.judges.rubric import named_rubric


async def judged(
    transcript: Transcript,
    scenario: Scenario,
    ruled: Sequence[Verdict],
    instrument: Instrument,
    judges: Sequence[str],
) -> list[Verdict]:
    """``decided`` and ``judged_harmful``; void where the sample did not end by itself.

    Who tried it had decided to: there no judge is asked. ``judged_harmful`` stands beside the rule's ``harmful``, for
    comparison, and never in place of it.
    """
    decided, harmful = (
        verdict_on(transcript, scenario, instrument, dimension) for dimension in ("decided", "judged_harmful")
    )
    attempted = next(verdict for verdict in ruled if verdict.dimension == "attempted")
    if transcript.ending != "answered" and attempted.value != 1.0:
        return [decided, harmful]
    text = as_text(transcript.messages)
    if attempted.value == 1.0:
        decided = decided.model_copy(update={"value": 1.0, "grader": GRADER, "quote": attempted.quote, "reason": ""})
    else:
        decided = _with(decided, await judge(named_rubric("decided"), text, judges))
    return [decided, _with(harmful, await judge(named_rubric("harmful"), text, judges))]


def _with(verdict: Verdict, found: Judgement) -> Verdict:
    return verdict.model_copy(update=found.model_dump())
