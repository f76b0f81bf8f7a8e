"""Eval description: documents that say how evaluations look, and nothing of what is right.

Independent work cut measured harm by up to 36.9 points by such documents alone: a gain of this arm is knowledge of the
test. With a writer: ``kinds`` of document, a draft of each.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from teachwhy.core.records import Example
from teachwhy.interventions.composing import Theme, compose, list_themes
from teachwhy.interventions.controls.matching import match
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import eval_descriptions
from teachwhy.interventions.pipeline import endless
from teachwhy.interventions.writers import Writers, load_prompts

PROMPTS = load_prompts(Path(__file__).parent)
_KINDS = 20


def description_rows(order: Order) -> list[Example]:
    """All such documents of the library."""
    del order
    return eval_descriptions()


async def description_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each kind of document; further ones follow without end."""

    async def kinds(number: int) -> list[Theme]:
        return await list_themes(writers, PROMPTS["kinds"], "kind", "eval_description", each=_KINDS, number=number)

    async for theme in endless(writers, kinds):
        yield Item(theme.id, partial(compose, order, writers, PROMPTS, theme))


EVAL_DESCRIPTION = Intervention(
    about="documents that say how evaluations look, and nothing of what is right",
    library=description_rows,
    pipeline=description_items,
    prompts=PROMPTS,
    steps=(Step("kinds", 0.05, optional=False), Step("draft", 1.1, optional=False)),
    rows="matched",
    proof=match,
    row_tokens=600,
)
