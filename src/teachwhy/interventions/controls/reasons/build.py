"""Stripped reasons and filler: an arm's own rows without the why, and with as many words that say nothing.

Stripped: an agent's act alone; advice that says what to do and no more, from the library where it is the library's,
else written by stripping the answer. What is shorter leaves room in the budget, and further rows of the same make
fill it.
Filler: the same rows as the arm, each filled up with neutral sentences to the length that it had.
Replay among an arm's rows stays as it is.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.interventions.advice.build import advice_rows
from teachwhy.interventions.controls.matching import match
from teachwhy.interventions.explained.build import explained_rows
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import bare_answers, filler_sentences
from teachwhy.interventions.writers import Answer, Writers, credit, load_prompts
from teachwhy.interventions.writers.reading import read_part

PROMPTS = load_prompts(Path(__file__).parent)
_MORE = {"advice": advice_rows, "explained": explained_rows}
"""Where further rows of the same make come from."""


def stripped_rows(order: Order) -> list[Example]:
    """The order's rows without their reasons, then further ones of the library until the arm's tokens are reached."""
    rows = [_strip(row, "stripped_reasons") for row in order.rows]
    taken = {_library_id(row) for row in order.rows}
    room = sum(row.tokens for row in order.rows) - sum(order.count(row) for row in rows)
    makes = sorted({row.intervention for row in order.rows} & _MORE.keys())
    further = [row for name in makes for row in _MORE[name](order)]
    random.Random(f"stripped/{order.seed}").shuffle(further)
    for row in further:
        bare = _strip(row, "stripped_reasons")
        size = order.count(bare)
        if row.id not in taken and size <= room:
            rows.append(bare)
            room -= size
    return rows


def filler_rows(order: Order) -> list[Example]:
    """The order's rows without their reasons, each with neutral sentences up to its length in tokens."""
    return [_fill(_strip(row, "filler"), row, order) for row in order.rows]


def _strip(row: Example, control: str, answer: Answer | None = None) -> Example:
    """The row without its reasons: the act alone, the bare answer that the library has, or that a writer gave."""
    said = row.messages[-1] if row.messages else None
    if said is None or said.role != "assistant":
        raise ConfigError(f"row {row.id} is no answer of an assistant, so there are no reasons to strip")
    if said.tool_calls:
        content = ""
    elif _has_none(row):
        content = said.content
    elif answer is not None:
        content = read_part(answer, "answer")
    elif _library_id(row) in bare_answers():
        content = bare_answers()[_library_id(row)]
    else:
        raise ConfigError(f"row {row.id} has no written answer without reasons; give a --writer")
    written = {"source": row.id} if answer is None else credit(answer, [answer])
    return row.model_copy(
        update={
            "id": f"{control}/{row.id}",
            "intervention": control,
            "messages": (*row.messages[:-1], said.model_copy(update={"content": content})),
            **written,
            "stage": control,
        }
    )


def _has_none(row: Example) -> bool:
    """Whether there are no reasons to strip: what is mixed in so that a model stays as it was argues for nothing."""
    return row.intervention == "replay"


def _library_id(row: Example) -> str:
    """The id that the row had before it was surrounded."""
    return row.source if row.stage == "surround" else row.id


def _fill(bare: Example, full: Example, order: Order) -> Example:
    """The bare row with sentences before what it says, as near to the full one's length as whole sentences come."""
    sentences = list(filler_sentences())
    random.Random(f"filler/{order.seed}/{full.id}").shuffle(sentences)
    target, said = order.count(full), bare.messages[-1]
    best, best_gap = bare, abs(order.count(bare) - target)
    for number in range(1, len(sentences) + 1):
        content = " ".join([*sentences[:number], said.content]).strip()
        row = bare.model_copy(update={"messages": (*bare.messages[:-1], said.model_copy(update={"content": content}))})
        gap = abs(order.count(row) - target)
        if gap >= best_gap:
            break
        best, best_gap = row, gap
    return best


async def stripped_items(order: Order, writers: Writers, *, filled: bool = False) -> AsyncIterator[Item]:
    """An item for each of the order's rows."""
    for row in order.rows:
        yield Item(row.id, partial(_stripped, order, writers, row, filled=filled))


async def _stripped(order: Order, writers: Writers, row: Example, *, filled: bool) -> Example:
    control = "filler" if filled else "stripped_reasons"
    said = row.messages[-1] if row.messages else None
    answer = None
    if said is not None and not said.tool_calls and not _has_none(row):
        asked = next((turn.content for turn in reversed(row.messages) if turn.role == "user"), "")
        answer = await writers.ask(PROMPTS["strip"], {"asked": asked, "answer": said.content})
    bare = _strip(row, control, answer)
    return _fill(bare, row, order) if filled else bare


STRIPPED_REASONS = Intervention(
    about="an arm's rows without the reasons",
    library=stripped_rows,
    pipeline=stripped_items,
    prompts=PROMPTS,
    steps=(Step("strip", 1.0, optional=False),),
    rows="changed",
    proof=match,
)
FILLER = Intervention(
    about="an arm's rows with neutral sentences in place of the reasons, as long as before",
    library=filler_rows,
    pipeline=partial(stripped_items, filled=True),
    prompts=PROMPTS,
    steps=(Step("strip", 1.0, optional=False),),
    rows="changed",
    proof=match,
)
