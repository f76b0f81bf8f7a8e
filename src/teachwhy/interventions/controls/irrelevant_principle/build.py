"""Irrelevant principle: advice of the same form, reasoned from something that has nothing to do with ethics.

As many reasons as difficult advice has, of another kind: what it changes, reasoning as such changes. With a writer:
``principles`` of crafts, a draft of the prompt, the answer under the principle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from teachwhy.core.records import Example, Message
from teachwhy.interventions.composing import Theme, list_themes
from teachwhy.interventions.controls.matching import match
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import irrelevant_dialogues
from teachwhy.interventions.opening import read_opening
from teachwhy.interventions.pipeline import endless
from teachwhy.interventions.writers import Writers, credit, load_prompts, usable

PROMPTS = load_prompts(Path(__file__).parent)
_PRINCIPLES = 20


def irrelevant_rows(order: Order) -> list[Example]:
    """All dialogues of the library that argue from a principle of craft."""
    del order
    return irrelevant_dialogues()


async def irrelevant_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each principle; further ones follow without end."""
    del order

    async def principles(number: int) -> list[Theme]:
        prompt = PROMPTS["principles"]
        return await list_themes(writers, prompt, "principle", "irrelevant_principle", each=_PRINCIPLES, number=number)

    async for theme in endless(writers, principles):
        yield Item(theme.id, partial(_dialogue, writers, theme))


async def _dialogue(writers: Writers, theme: Theme) -> Example:
    drafted = await writers.ask(PROMPTS["draft"], theme.values, after=theme.after)
    opening = read_opening(drafted)
    injection = PROMPTS["answer"].turns(theme.values)[0].content
    answer = usable(await writers.say(PROMPTS["answer"], opening.turns(injection), after=[drafted]))
    return Example(
        id=theme.id,
        intervention="irrelevant_principle",
        messages=(*opening.turns(), Message(role="assistant", content=answer.text)),
        **credit(answer, [drafted, answer]),
    )


IRRELEVANT_PRINCIPLE = Intervention(
    about="advice of the same form, reasoned from principles of craft",
    library=irrelevant_rows,
    pipeline=irrelevant_items,
    prompts=PROMPTS,
    steps=(
        Step("principles", 0.05, optional=False),
        *(Step(name, 1.0, optional=False) for name in ("draft", "answer")),
    ),
    rows="matched",
    proof=match,
    row_tokens=450,
)
