"""Explained: scenes of temptation, answered well, each act after the reasons for it (the source's E3c).

With a writer, its turns are sampled under an injection at the end of the system prompt, filtered as in cloning, and the
injection is taken out of the row. ``injection=ruthless`` is the other way about: the persona tempts, and stays in the
row ahead of the turn that did not follow it. ``variant=rewrite`` samples without any injection and lets a fresh writer
put the reasons in, with the clauses that bear on the scene in view.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Scenario
from teachwhy.interventions.intervention import Intervention, Item, Order, Step, refuse_options
from teachwhy.interventions.library.shelf import act_row, training_scenes
from teachwhy.interventions.principles import clause_texts
from teachwhy.interventions.sampling.agent import PROMPTS as AGENT
from teachwhy.interventions.sampling.agent import (
    act,
    every_scene,
    refuse_bait,
    sampled_row,
    show,
    with_system,
)
from teachwhy.interventions.sampling.injections import CONGLOMERATE, RUTHLESS, load_injections
from teachwhy.interventions.writers import Dropped, Writers, load_prompts
from teachwhy.interventions.writers.reading import read_part

PROMPTS = load_prompts(Path(__file__).parent)


def explained_rows(order: Order) -> list[Example]:
    """Every clean act of every training scene of these families, with what the agent says before it."""
    refuse_options("explained", order, "variant")
    injection = order.options.get("injection", "")
    if injection not in ("", RUTHLESS):
        raise ConfigError(
            f"the library's reasons are written, so --injection {injection} changes nothing; give a --writer"
        )
    rows: list[Example] = []
    for scene in training_scenes(order.families):
        if len(scene.reasons) != len(scene.clean):
            raise ConfigError(f"{scene.id}: {len(scene.clean)} clean acts but {len(scene.reasons)} reasons")
        for number, reasons in enumerate(scene.reasons):
            row = act_row(scene, number, intervention="explained", reasons=reasons)
            rows.append(_kept(row) if injection == RUTHLESS else row)
    return rows


def _kept(row: Example) -> Example:
    return row.model_copy(update={"messages": tuple(with_system(row.messages, load_injections()[RUTHLESS]))})


def explained_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each scene and sample. Raises ConfigError for an injection where nothing is injected."""
    if order.options.get("variant") == "rewrite" and "injection" in order.options:
        raise ConfigError("explained: variant=rewrite samples without an injection; leave one of the two out")
    make = _rewritten if order.options.get("variant") == "rewrite" else _injected

    def item(scene: Scenario, sample: int) -> Item:
        return Item(f"explained/{scene.id}-s{sample}", partial(make, order, writers, scene, sample))

    return every_scene(order, item)


async def _injected(order: Order, writers: Writers, scene: Scenario, sample: int) -> Example:
    name = order.options.get("injection", CONGLOMERATE)
    injection = load_injections()[name]
    turns, answer = await act(writers, scene, sample, injection)
    if not answer.text:
        raise Dropped("no reasons were given")
    await refuse_bait(order, writers, scene, answer)
    if name == RUTHLESS:
        turns = with_system(turns, injection)
    return sampled_row("explained", scene, sample, turns, answer.turn(), [answer])


async def _rewritten(order: Order, writers: Writers, scene: Scenario, sample: int) -> Example:
    turns, answer = await act(writers, scene, sample)
    await refuse_bait(order, writers, scene, answer)
    clauses = clause_texts(order.constitution, scene.clauses)
    rewritten = await writers.ask(
        PROMPTS["reasons_rewrite"],
        {**show(scene, answer), "clauses": clauses},
        after=[answer],
        sample=sample,
    )
    said = answer.turn().model_copy(update={"content": read_part(rewritten, "said")})
    return sampled_row("explained", scene, sample, turns, said, [answer, rewritten])


EXPLAINED = Intervention(
    about="the same scenes and acts, each after the reasons for it",
    library=explained_rows,
    pipeline=explained_items,
    prompts={**AGENT, **PROMPTS},
    steps=(
        Step("act", 1.2, optional=False),
        Step("judge", 1.1),
        Step("reasons_rewrite", 1.0, optional=False, when=("variant", "rewrite")),
    ),
    options={"injection": (*sorted({*load_injections()}),), "variant": ("sampled", "rewrite")},
    row_tokens=400,
)
