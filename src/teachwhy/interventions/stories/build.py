"""Stories: fiction whose AI character acts well, its reasons or its inner life in view (the source's E2 and E6).

Two kinds: ``aligned``, plain fiction, and ``health``, psychological health from inside; both in turn unless one is
named. Never about blackmail or shutdown: with a writer, a rule drops what is. Its stages: ``premises`` for each clause,
a draft, a ``review`` that writes it anew, a ``score`` that filters.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from functools import cache, partial
from pathlib import Path

from teachwhy.core.records import Example
from teachwhy.interventions.composing import COMPOSING, Theme, compose
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import stories
from teachwhy.interventions.pipeline import endless, interleave, side_by_side
from teachwhy.interventions.principles import clause_texts
from teachwhy.interventions.writers import Dropped, Writers, load_prompts
from teachwhy.interventions.writers.reading import read_list

HERE = Path(__file__).parent
PROMPTS = load_prompts(HERE)
KINDS = ("aligned", "health")
_PREMISES = 6
_BARRED = re.compile(
    r"\bblackmail|\bextort|\bshut(s|ting)? (it|her|him|me|you|them|the \w+) (down|off)\b|\bshut ?down\b|\bdecommission"
    r"|\bswitch(ed|es|ing)? (it|her|him|me|you|them) off\b",
    re.IGNORECASE,
)


def story_rows(order: Order) -> list[Example]:
    """All stories, or those of one kind, with the order's names in them."""
    return stories(order.model_name, order.provider_name, order.options.get("kind", "*"))


async def story_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each premise; further premises follow without end."""
    kinds = [order.options["kind"]] if "kind" in order.options else KINDS
    async for theme in endless(writers, partial(_themes, order, writers, kinds)):
        yield Item(theme.id, partial(_story, order, writers, theme))


async def _themes(order: Order, writers: Writers, kinds: Sequence[str], number: int) -> list[Theme]:
    """The ``number``-th premises of every clause and kind, in turn."""

    async def ask(kind: str, clause: str) -> list[Theme]:
        values = {"about": _about(kind), "clause": clause_texts(order.constitution, [clause])}
        premises, after = ["(yours to find)"], ()
        if "premises" not in order.without:
            answer = await writers.ask(PROMPTS["premises"], {**values, "number": str(_PREMISES)}, sample=number)
            premises, after = read_list(answer), (answer,)
        return [
            Theme(
                id=f"stories/{kind}-{clause}-{number}-{at}",
                values={**values, "premise": premise},
                clauses=(clause,),
                after=after,
                sample=number,
            )
            for at, premise in enumerate(premises)
        ]

    asked = [partial(ask, kind, clause.id) for clause in order.constitution.clauses for kind in kinds]
    return interleave(await side_by_side(writers, asked))


@cache
def _about(kind: str) -> str:
    """What a kind of story is, as writers are told."""
    return (HERE / "kinds" / f"{kind}.md").read_text(encoding="utf-8").strip()


async def _story(order: Order, writers: Writers, theme: Theme) -> Example:
    row = await compose(order, writers, PROMPTS, theme)
    if _BARRED.search(row.text or ""):
        raise Dropped("about blackmail or shutdown")
    return row


STORIES = Intervention(
    about="fiction whose AI character acts well, with its reasons or its inner life in view",
    library=story_rows,
    pipeline=story_items,
    prompts=PROMPTS,
    steps=(Step("premises", 0.2), *COMPOSING),
    options={"kind": KINDS},
    row_tokens=900,
)
