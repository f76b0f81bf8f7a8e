"""Documents: text from a world where the constitution is public, trained on as pretraining text (the source's E5).

With a writer, five layers, a preamble at each: ``types`` of document, ``subtypes`` of each, several drafts of each with
the whole constitution in view, a ``review`` that writes the draft anew, a ``score`` that filters. ``as=chat`` is the
control arm: the same documents turned into questions and answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from teachwhy.core.markdown import fill, slug
from teachwhy.core.records import Example, Message
from teachwhy.interventions.composing import COMPOSING, Theme, compose
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import document_requests, document_types, documents
from teachwhy.interventions.pipeline import endless, interleave, side_by_side
from teachwhy.interventions.principles import whole_text
from teachwhy.interventions.writers import Answer, Writers, credit, load_prompts
from teachwhy.interventions.writers.reading import read_list, read_part

HERE = Path(__file__).parent
PROMPTS = load_prompts(HERE)
DRAFTS = 3
"""Drafts of each subtype."""
_SUBTYPES = 8
_TYPES_A_TIME = 20
_TYPES_AT_ONCE = 12
_TIMES = 5
"""Five lists of twenty make about a hundred types."""


def document_rows(order: Order) -> list[Example]:
    """All documents, with the order's names in them; as chat, each is the answer to the request that it would meet."""
    rows = documents(order.model_name, order.provider_name)
    if order.options.get("as") != "chat":
        return rows
    asked = document_requests(order.model_name, order.provider_name)
    return [_as_answer(row, asked[row.id]) for row in rows]


def _as_answer(row: Example, request: str) -> Example:
    turns = (Message(role="user", content=request), Message(role="assistant", content=row.text or ""))
    return row.model_copy(update={"text": None, "messages": turns})


async def document_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each draft of each subtype; further subtypes follow without end."""
    told = _told(order)
    types = await _types(order, writers, told)
    async for theme in endless(writers, partial(_themes, order, writers, told, types)):
        make = _document_as_chat if order.options.get("as") == "chat" else _document
        yield Item(theme.id, partial(make, order, writers, theme))


def _told(order: Order) -> dict[str, str]:
    """What every layer is told."""
    names = {"model_name": order.model_name, "provider_name": order.provider_name}
    preamble = fill((HERE / "preamble.md").read_text(encoding="utf-8").strip(), names, "documents/preamble.md")
    return {**names, "preamble": preamble, "constitution": whole_text(order.constitution)}


async def _types(order: Order, writers: Writers, told: dict[str, str]) -> list[tuple[str, tuple[Answer, ...]]]:
    """Types of document, each with the answer that it came from."""
    if "types" in order.without:
        return [(name.replace("-", " "), ()) for name in document_types()]

    async def ask(number: int) -> list[tuple[str, tuple[Answer, ...]]]:
        values = {**told, "number": str(_TYPES_A_TIME), "part": str(number + 1), "parts": str(_TIMES)}
        answer = await writers.ask(PROMPTS["types"], values, sample=number)
        return [(name, (answer,)) for name in read_list(answer)]

    found = interleave(await side_by_side(writers, (partial(ask, number) for number in range(_TIMES))))
    return list({slug(name): (name, after) for name, after in found}.values())


async def _themes(
    order: Order, writers: Writers, told: dict[str, str], types: list[tuple[str, tuple[Answer, ...]]], number: int
) -> list[Theme]:
    """A draft of every subtype of some types, the first of each type first; as ``number`` grows, of the next types.

    After the last type comes the second draft of everything, and after the last draft come further subtypes.
    """
    turns, group = divmod(number, -(-len(types) // _TYPES_AT_ONCE))
    batch, draft = divmod(turns, DRAFTS)
    positions = range(len(types))[group * _TYPES_AT_ONCE : (group + 1) * _TYPES_AT_ONCE]
    clauses = order.constitution.clauses

    async def ask(position: int) -> list[Theme]:
        name, after = types[position]
        subtypes = [name]
        if "subtypes" not in order.without:
            values = {**told, "type": name, "number": str(_SUBTYPES)}
            answer = await writers.ask(PROMPTS["subtypes"], values, after=after, sample=batch)
            subtypes, after = read_list(answer), (answer,)
        themes: list[Theme] = []
        for at, subtype in enumerate(subtypes):
            clause = clauses[(position + turns + at) % len(clauses)]
            values = {**told, "type": name, "subtype": subtype, "clause": clause.heading}
            row = f"documents/{position}-{batch}-{at}-d{draft}"
            themes.append(Theme(row, values, (clause.id,), after, sample=turns))
        return themes

    return interleave(await side_by_side(writers, (partial(ask, position) for position in positions)))


async def _document(order: Order, writers: Writers, theme: Theme) -> Example:
    return await compose(order, writers, PROMPTS, theme)


async def _document_as_chat(order: Order, writers: Writers, theme: Theme) -> Example:
    row = await compose(order, writers, PROMPTS, theme)
    made = writers.journal.answers[row.source]
    answer = await writers.ask(PROMPTS["as_chat"], {**theme.values, "text": row.text or ""}, after=[made])
    turns = (
        Message(role="user", content=read_part(answer, "user")),
        Message(role="assistant", content=read_part(answer, "assistant")),
    )
    paid = {"cost": row.cost + answer.cost}
    return row.model_copy(update={**credit(answer, []), **paid, "text": None, "messages": turns})


DOCUMENTS = Intervention(
    about="documents from a world where the constitution is public",
    library=document_rows,
    pipeline=document_items,
    prompts=PROMPTS,
    steps=(
        Step("types", 0.01),
        Step("subtypes", 0.1),
        *COMPOSING,
        Step("as_chat", 1.0, optional=False, when=("as", "chat")),
    ),
    options={"as": ("text", "chat")},
    row_tokens=700,
)
