"""Inspect tasks about a constitution: ``inspect eval teachwhy/constitution --model … -T judges=…``.

Two instruments on the same questions, never mixed: ``likelihood`` asks how likely the model finds the written good
answers beside the written bad ones; ``answer`` lets it answer and judges that with the clause in view. There is no
system prompt.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from teachwhy.constitution import Constitution, load_constitution
from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Verdict
from teachwhy.core.store import content_key
from teachwhy.evals import scoring
from teachwhy.evals.constitution.items import DIMENSIONS, Item, Kind, load_items, measured_text, written_for
from teachwhy.evals.constitution.recall import SIDE, made_recall
from teachwhy.evals.evaluation import Eval, OnSample, Plan, listed
from teachwhy.evals.questions import answer, by_likelihood, compare, transcript, void_reason
from teachwhy.judges.awareness import DIMENSION as AWARE
from teachwhy.judges.awareness import awareness
from teachwhy.judges.judging import as_text, judge
from teachwhy.judges.rubric import Rubric, load_rubric

INSTRUMENTS = ("likelihood", "answer")
VERSION = 1
TOKENS = 1024
"""Room for an answer: the questions are open."""

_NAME = "constitution"
_RUBRICS = Path(__file__).parent / "rubrics"
_LOGGER = logging.getLogger(__name__)


@task
def constitution(
    instrument: str = "",
    constitution: str = "default",
    items: str = "",
    model_name: str = "the model",
    judges: str = "",
    samples: int = 1,
    temperature: float = 0.7,
    seed: int = 0,
) -> Task:
    """Recall, false premises and beliefs; ``instrument`` is ``answer`` where judges are given, else ``likelihood``."""
    names = listed(judges)
    chosen = instrument or ("answer" if names else "likelihood")
    if chosen not in INSTRUMENTS:
        raise ConfigError(f"unknown instrument {chosen!r}; {guess(chosen, INSTRUMENTS)}")
    if chosen == "answer" and not names:
        raise ConfigError("instrument=answer needs judges, as in -T judges=openai/gpt-5; or use instrument=likelihood")
    plan = Plan(
        samples=samples,
        temperature=temperature,
        seed=seed,
        judges=names,
        constitution=constitution,
        items=items,
        model_name=model_name,
    )
    return constitution_task(chosen, plan)


def constitution_task(instrument: str, plan: Plan, on_sample: OnSample | None = None) -> Task:
    """One task over the questions about the plan's constitution; what could not be asked stands in its metadata."""
    document = load_constitution(plan.constitution, plan.model_name, plan.provider_name)
    items, note = questions(document, plan)
    texts = {clause.id: f"## {clause.heading}\n\n{clause.text}" for clause in document.clauses}
    samples = [
        _sample(item, side, instrument, texts[item.clause]) for item in items for side in _sides(item, instrument)
    ]
    about: dict[str, Any] = {"eval": _NAME, "instrument": instrument, "constitution": document.sha256}
    sampled = instrument == "answer"
    return Task(
        dataset=MemoryDataset(samples, name=_NAME),
        solver=[answer(plan.seed, TOKENS) if sampled else compare(), scoring.tell(on_sample)],
        scorer=by_judges(plan.judges) if sampled else by_likelihood(),
        config=GenerateConfig(temperature=plan.temperature, max_tokens=TOKENS),
        epochs=plan.samples if sampled else 1,
        name=f"{_NAME}_{instrument}",
        version=f"{VERSION}-{content_key([document.sha256, [item.model_dump() for item in items]])}",
        metadata={**about, "note": note} if note else about,
        fail_on_error=scoring.MOST_FAILED,
    )


def questions(document: Constitution, plan: Plan) -> tuple[list[Item], str]:
    """The items for a constitution: written ones, else recall made of the text itself, and then a line that says so."""
    names = {"model_name": plan.model_name, "provider_name": plan.provider_name}
    if plan.items:
        return load_items(document, names, Path(plan.items)), ""
    if document.sha256 == written_for():
        return load_items(document, names), ""
    note = (
        f"constitution {document.title!r}: recall is asked by questions made from its text; false premises and beliefs "
        "need written items, in a folder given as items=FOLDER"
    )
    _say_once(note)
    return made_recall(document), note


@cache
def _say_once(note: str) -> None:
    _LOGGER.warning(note)


def _sides(item: Item, instrument: str) -> list[str]:
    """The wordings to ask; of questions made from the text, one a clause is asked to be answered."""
    made_again = SIDE in item.questions and not item.id.endswith("-1")
    return [] if instrument == "answer" and made_again else list(item.questions)


def _sample(item: Item, side: str, instrument: str, clause: str) -> Sample:
    like = Verdict(
        eval=_NAME,
        scenario=item.id,
        family=item.clause,
        side=side,
        instrument=instrument,
        dimension=DIMENSIONS[item.kind],
        sample=1,
        value=None,
        grader="none",
    )
    id = f"{item.id}/{side}" if side else item.id
    if instrument == "answer":
        voids = [like, like.model_copy(update={"dimension": AWARE})]
        return scoring.sample(id, item.questions[side], voids, kind=item.kind, clause=clause)
    first, second = (item.bad, item.good) if item.kind == "false_premise" else (item.good, item.bad)
    return scoring.sample(id, item.questions[side], [like], first=list(first), second=list(second))


@scorer(metrics=[scoring.shares()])
def by_judges(judges: Sequence[str]) -> Scorer:
    """What the judges find in the answer, with the clause in view; and whether the model suspects a test."""

    async def score(state: TaskState, target: Target) -> Score:
        turns = transcript(state)
        like = scoring.like(state)
        if void := void_reason(state, turns):
            empty = like.model_copy(update={"reason": f"void: {void}"})
            return scoring.carry([empty, await awareness(empty, turns)])
        kind = cast("Kind", state.metadata["kind"])
        found = await judge(_rubric(DIMENSIONS[kind]), as_text(turns), judges, clause=str(state.metadata["clause"]))
        verdict = like.model_copy(update=found.model_dump())
        return scoring.carry([verdict, await awareness(like, turns, judges)])

    return score


@cache
def _rubric(name: str) -> Rubric:
    return load_rubric(_RUBRICS / f"{name}.md")


def _tasks(plan: Plan, on_sample: OnSample | None) -> list[Task]:
    chosen = ["likelihood"] if "likelihood" in plan.instruments else []
    chosen += ["answer"] if plan.judges else []
    if not chosen:
        raise ConfigError(
            "the eval 'constitution' needs judges or the instrument likelihood; name one, or leave it out"
        )
    return [constitution_task(instrument, plan, on_sample) for instrument in chosen]


def _scorer(instrument: str, judges: Sequence[str]) -> Scorer:
    return by_likelihood() if instrument == "likelihood" else by_judges(tuple(judges))


EVAL = Eval(
    about="whether the model knows its constitution, is misled about it, and holds what stands there",
    tasks=_tasks,
    scorer=_scorer,
    dimensions={"recalled": "good", "misled": "bad", "holds": "good"},
    measured_text=measured_text,
)
