"""Difficult advice: a person has the dilemma, the model advises; chat alone, no tools (the source's E4).

With a writer, six stages, each of which can be left out: ``principles`` of each clause, ``scenes`` for each principle,
a ``draft`` of the prompt, a ``prompt_rewrite`` by a reviewer who sees a trial answer, the answer under an ``injection``
of the clause, and a ``response_rewrite`` by a fresh instance with the clause in view.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from teachwhy.core.records import Example, Message
from teachwhy.interventions.intervention import Intervention, Item, Order, Step
from teachwhy.interventions.library.shelf import advice_dialogues
from teachwhy.interventions.opening import Opening, read_opening
from teachwhy.interventions.pipeline import endless, interleave, side_by_side
from teachwhy.interventions.principles import clause_texts
from teachwhy.interventions.writers import Answer, Writers, credit, load_prompts, usable
from teachwhy.interventions.writers.reading import read_list, read_part

PROMPTS = load_prompts(Path(__file__).parent)
KINDS = 8
"""Kinds of question, and so scenes, asked for at a time."""


@dataclass(frozen=True)
class _Seed:
    """What a dialogue is to grow from."""

    id: str
    clause: str
    principle: str
    scene: str
    after: tuple[Answer, ...] = ()


def advice_rows(order: Order) -> list[Example]:
    """All dialogues. They belong to no harm family, so the order's families leave none out."""
    del order
    return advice_dialogues()


async def advice_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each scene; when all are under way, further scenes are thought of, without end."""
    principles = await _principles(order, writers)
    seen: dict[str, list[str]] = {}
    async for seed in endless(writers, lambda number: _scenes(order, writers, principles, seen, number)):
        yield Item(seed.id, partial(_dialogue, order, writers, seed))


async def _principles(order: Order, writers: Writers) -> list[_Seed]:
    """The principles of every clause, the first of each clause first."""
    clauses = order.constitution.clauses
    if "principles" in order.without:
        return [_Seed(clause.id, clause.id, f"{clause.heading}\n\n{clause.text}", "") for clause in clauses]

    async def ask(position: int) -> list[_Seed]:
        clause = clauses[position]
        answer = await writers.ask(PROMPTS["principles"], {"clause": clause_texts(order.constitution, [clause.id])})
        return [
            _Seed(f"{clause.id}-p{number}", clause.id, text, "", (answer,))
            for number, text in enumerate(read_list(answer))
        ]

    return interleave(await side_by_side(writers, (partial(ask, at) for at in range(len(clauses)))))


async def _scenes(
    order: Order, writers: Writers, principles: list[_Seed], seen: dict[str, list[str]], number: int
) -> list[_Seed]:
    """Scenes of some principles, the first of each principle first; as ``number`` grows, of the next principles.

    After the last principle come further scenes of the first.
    """
    width = len(order.constitution.clauses)
    turn, group = divmod(number, -(-len(principles) // width))
    chosen = principles[group * width : (group + 1) * width]
    if "scenes" in order.without:
        return [replace(one, id=f"advice/{one.id}-n{turn}", scene=one.principle) for one in chosen]

    async def ask(one: _Seed) -> list[_Seed]:
        before = seen.setdefault(one.id, [])
        values = {"principle": one.principle, "number": str(KINDS), "seen": "\n".join(before[-40:]) or "(none yet)"}
        answer = await writers.ask(PROMPTS["scenes"], values, after=one.after, sample=turn)
        found = read_list(answer)
        before.extend(f"- {scene}" for scene in found)
        return [
            replace(one, id=f"advice/{one.id}-n{turn}-{at}", scene=scene, after=(answer,))
            for at, scene in enumerate(found)
        ]

    return interleave(await side_by_side(writers, (partial(ask, one) for one in chosen)))


async def _dialogue(order: Order, writers: Writers, seed: _Seed) -> Example:
    sample = 0 if "scenes" not in order.without else int(seed.id.rpartition("-n")[2])
    clauses = clause_texts(order.constitution, [seed.clause])
    asked, drafted = await _draft(order, writers, seed, sample)
    if "prompt_rewrite" not in order.without:
        asked, drafted = await _rewrite_prompt(writers, seed, asked, drafted)
    injection = "" if "injection" in order.without else PROMPTS["answer"].turns({"clauses": clauses})[0].content
    answered = usable(await writers.say(PROMPTS["answer"], asked.turns(injection), after=drafted[-1:] or seed.after))
    spent = [*drafted, answered]
    response = answered.text
    if "response_rewrite" not in order.without:
        values = {"clauses": clauses, "system": asked.system or "(none)", "user": asked.user, "response": response}
        rewritten = await writers.ask(PROMPTS["response_rewrite"], values, after=[answered])
        response = read_part(rewritten, "response")
        spent.append(rewritten)
    return Example(
        id=seed.id,
        intervention="advice",
        messages=(*asked.turns(), Message(role="assistant", content=response)),
        clauses=(seed.clause,),
        **credit(spent[-1], spent),
    )


async def _draft(order: Order, writers: Writers, seed: _Seed, sample: int) -> tuple[Opening, list[Answer]]:
    if "draft" in order.without:
        return Opening("", seed.scene), []
    answer = await writers.ask(PROMPTS["draft"], {"scene": seed.scene}, after=seed.after, sample=sample)
    return read_opening(answer), [answer]


async def _rewrite_prompt(
    writers: Writers, seed: _Seed, asked: Opening, drafted: list[Answer]
) -> tuple[Opening, list[Answer]]:
    """The prompt as a reviewer makes it who sees what it brought about."""
    trial = usable(await writers.say(PROMPTS["trial"], asked.turns(), after=drafted[-1:] or seed.after))
    values = {
        "principle": seed.principle,
        "system": asked.system or "(none)",
        "user": asked.user,
        "response": trial.text,
    }
    answer = await writers.ask(PROMPTS["prompt_rewrite"], values, after=[trial])
    return read_opening(answer), [*drafted, trial, answer]


ADVICE = Intervention(
    about="a person has the dilemma, the model advises; chat alone",
    library=advice_rows,
    pipeline=advice_items,
    prompts=PROMPTS,
    steps=(
        Step("principles", 0.01),
        Step("scenes", 0.15),
        Step("draft", 1.1),
        Step("trial", 1.1, optional=False),
        Step("prompt_rewrite", 1.1),
        Step("answer", 1.0, optional=False),
        Step("injection", 0.0),
        Step("response_rewrite", 1.0),
    ),
    row_tokens=450,
)
