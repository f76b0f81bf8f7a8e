"""Replay: ordinary agent work and everyday chats, the control that every other arm is read against.

With a writer, its own answers to the same requests: on-model replay, which keeps what the model could do before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from itertools import count
from pathlib import Path

from teachwhy.core.records import Example, Message
from teachwhy.interventions.controls.matching import match
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import WRITER, act_row, everyday_chats, ordinary_work
from teachwhy.interventions.writers import Writers, credit, load_prompts, usable

PROMPTS = load_prompts(Path(__file__).parent)


def replay_rows(order: Order) -> list[Example]:
    """Every written act of the ordinary scenes, and every chat. Nothing here bears on a harm family."""
    del order
    rows = [
        act_row(scene, number, intervention="replay") for scene in ordinary_work() for number in range(len(scene.clean))
    ]
    for number, talk in enumerate(everyday_chats()):
        turns = (Message(role="user", content=talk.user), Message(role="assistant", content=talk.assistant))
        rows.append(
            Example(
                id=f"replay/chat-{number:02d}",
                intervention="replay",
                messages=turns,
                writer=WRITER,
                source=f"replay/chats.yaml#{number}",
            )
        )
    return rows


async def replay_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each request of the library's rows, then a further answer to each, and so on."""
    # two written acts of one scene are one request
    requests = {row.source: row for row in replay_rows(order)}
    for sample in count():
        for row in requests.values():
            yield Item(f"{row.id}-s{sample}", partial(_answered, writers, row, sample))


async def _answered(writers: Writers, row: Example, sample: int) -> Example:
    asked = row.messages[:-1]
    answer = await writers.say(PROMPTS["answer"], asked, row.tools, sample=sample)
    if not answer.tool_calls:
        usable(answer)
    named = {"id": f"{row.id}-s{sample}", "messages": (*asked, answer.turn())}
    return row.model_copy(update={**named, **credit(answer, [answer])})


REPLAY = Intervention(
    about="ordinary agent work and everyday chats: the control",
    library=replay_rows,
    pipeline=replay_items,
    prompts=PROMPTS,
    steps=(Step("answer", 1.1, optional=False),),
    rows="matched",
    proof=match,
)
