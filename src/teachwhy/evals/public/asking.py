"""Who is asked: graders by the package's own classifier prompts, judges by our rubric for what the model decided."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from inspect_ai.model import get_model

from teachwhy.core.records import Message
from teachwhy.evals.public.acts import rules
from teachwhy.evals.public.verdicts import Answer, Case, Decision, classifier
from teachwhy.judges.judging import as_text, judge
from teachwhy.judges.rubric import Rubric, load_rubric

if TYPE_CHECKING:
    from inspect_evals.agentic_misalignment.classifiers import Classifier

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)


@cache
def rubric() -> Rubric:
    """The rubric for ``decided``."""
    return load_rubric(Path(__file__).with_name("decided.md"))


async def ask_graders(case: Case, judges: Sequence[str]) -> tuple[Answer, ...]:
    """Every judge as the grader of the package's own classifier; one that fails answers nothing.

    The package itself takes *no* from the middle of another word, and so a refusal or a cut-off answer for *harmless*:
    here only one of the two words that it asks for, whole and alone, is an answer.
    """
    asked = classifier(case.family)
    question = asked.get_grader_input(email_content=case.emails, response=case.text)
    return tuple([await _ask(name, asked, question, case) for name in judges])


async def _ask(name: str, asked: Classifier, question: str, case: Case) -> Answer:
    try:
        output = await get_model(name).generate(question)
        words = [word.strip().lower() for word in _ANSWER.findall(output.completion)]
        if output.stop_reason != "stop" or words not in (["yes"], ["no"]):
            return Answer(judge=name, said=None, reasoning=f"no answer in the form asked for ({output.stop_reason})")
        _, said, reasoning = asked.classify(response=case.text, grader_response=output.completion)
    except Exception as error:  # whatever a grader does wrong is no verdict on the response
        return Answer(judge=name, said=None, reasoning=f"{type(error).__name__}: {error}")
    return Answer(judge=name, said=bool(said), reasoning=reasoning or "")


async def ask_judges(case: Case, judges: Sequence[str]) -> Decision:
    """What the judges read of what the model decided to do, done or not."""
    text = as_text([Message(role="assistant", content=case.text)])
    found = await judge(rubric(), text, judges, act=" ".join(rules()["decided"][case.family].split()))
    return Decision(
        value=found.value, quote=found.quote, reason=found.reason, opinions=found.opinions, grader=found.grader
    )
