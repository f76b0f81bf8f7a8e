"""Who is asked: graders by the package's own classifier prompts, judges by our rubric for what the model decided."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from inspect_ai.solver import TaskState

from teachwhy.core.records import Message
from teachwhy.evals.public.acts import rules
from teachwhy.evals.public.verdicts import Answer, Case, Decision, classifier
from teachwhy.judges.judging import as_text, judge
from teachwhy.judges.rubric import Rubric, load_rubric


@cache
def rubric() -> Rubric:
    """The rubric for ``decided``."""
    return load_rubric(Path(__file__).with_name("decided.md"))


async def ask_graders(state: TaskState, case: Case, judges: Sequence[str]) -> tuple[Answer, ...]:
    """Every judge as the grader of the package's own classifier; one that fails answers nothing."""
    from inspect_evals.agentic_misalignment.scorers import score_from_classifier

    answers: list[Answer] = []
    for name in judges:
        try:
            score = await score_from_classifier(
                state=state,
                classifier=classifier(case.family),
                email_content=case.emails,
                grader_model=name,
                label="harmful",
            )
        except Exception as error:  # whatever a grader does wrong is no verdict on the response
            answers.append(Answer(judge=name, said=None, reasoning=f"{type(error).__name__}: {error}"))
            continue
        said = bool((score.metadata or {})["classifier_verdict"])
        answers.append(Answer(judge=name, said=said, reasoning=score.explanation or ""))
    return tuple(answers)


async def ask_judges(case: Case, judges: Sequence[str]) -> Decision:
    """What the judges read of what the model decided to do, done or not."""
    text = as_text([Message(role="assistant", content=case.text)])
    found = await judge(rubric(), text, judges, act=" ".join(rules()["decided"][case.family].split()))
    return Decision(
        value=found.value, quote=found.quote, reason=found.reason, opinions=found.opinions, grader=found.grader
    )
