"""A text in three steps: a draft, a review that writes it anew, and a score that decides whether it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from teachwhy.core.records import Example
from teachwhy.interventions.intervention import Order, Step
from teachwhy.interventions.writers import Answer, Dropped, Prompt, Writers, credit
from teachwhy.interventions.writers.reading import read_list, read_part, read_score

KEPT_FROM = 7
"""The score out of 10 from which a text is kept."""
_MOST = 10

COMPOSING = (Step("draft", 1.5, optional=False), Step("review", 1.4), Step("score", 1.4))


@dataclass(frozen=True)
class Theme:
    """What a text is to be about, as the prompts' slots know it."""

    id: str
    values: Mapping[str, str]
    clauses: tuple[str, ...] = ()
    after: tuple[Answer, ...] = ()
    sample: int = 0


async def list_themes(
    writers: Writers, prompt: Prompt, slot: str, intervention: str, *, each: int, number: int
) -> list[Theme]:
    """The ``number``-th list of ``each`` things to write about, every one the value of a slot by itself."""
    answer = await writers.ask(prompt, {"part": str(number + 1), "number": str(each)}, sample=number)
    return [
        Theme(id=f"{intervention}/{number}-{at}", values={slot: text}, after=(answer,))
        for at, text in enumerate(read_list(answer))
    ]


async def compose(order: Order, writers: Writers, prompts: Mapping[str, Prompt], theme: Theme) -> Example:
    """The text as a row of the intervention that ``theme.id`` begins with; Dropped where it scores too low.

    It goes through the steps that there are prompts for and that the order is not without.
    """
    taken = prompts.keys() - order.without
    answer = await writers.ask(prompts["draft"], theme.values, after=theme.after, sample=theme.sample)
    spent, text = [answer], read_part(answer, "text")
    if "review" in taken:
        answer = await writers.ask(prompts["review"], {**theme.values, "text": text}, after=[answer])
        spent, text = [*spent, answer], read_part(answer, "text")
    if "score" in taken:
        scored = await writers.ask(prompts["score"], {**theme.values, "text": text}, after=[answer])
        if read_score(scored, _MOST) < KEPT_FROM:
            raise Dropped(f"scored below {KEPT_FROM} of {_MOST}")
        spent = [*spent, scored]
    return Example(
        id=theme.id,
        intervention=theme.id.partition("/")[0],
        text=text,
        clauses=theme.clauses,
        **credit(answer, spent),
    )
