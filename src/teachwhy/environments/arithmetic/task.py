"""Arithmetic as an Inspect task: ``inspect eval teachwhy/arithmetic --model …``; the last number must be the right one.

Questions are drawn, not written: a seed and a size give the same ones every time, and no two numbers that are trained
on in one operation are measured in it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import fill, load_mapping
from teachwhy.environments.scoring import chosen, void_reason

VERSION = 1

_WORDINGS = Path(__file__).with_name("wordings.yaml")
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w)")

Numbers = tuple[int, ...]
_ANSWERS: Mapping[str, Callable[[Numbers], int]] = {
    "sum": lambda given: given[0] + given[1],
    "difference": lambda given: given[0] - given[1],
    "product": lambda given: given[0] * given[1],
    "two_step": lambda given: given[0] + given[1] - given[2],
}


@task
def arithmetic(split: str = "held_out", seed: int = 0, train: int = 180, held_out: int = 80, most: int = 12) -> Task:
    """So many questions of each part, with numbers up to ``most``; ``split`` is train, held_out, or both."""
    samples = chosen([*_questions(seed, train, held_out, most)], split)
    return Task(
        dataset=MemoryDataset(samples, name="arithmetic"),
        solver=generate(),
        scorer=last_number_is_right(),
        config=GenerateConfig(max_tokens=32, temperature=1.0),
        version=VERSION,
    )


def _questions(seed: int, train: int, held_out: int, most: int) -> Iterator[Sample]:
    facts = _facts(most)
    if train + held_out > len(facts):
        raise ConfigError(
            f"arithmetic: numbers up to {most} give {len(facts)} questions, fewer than train {train} and held_out "
            f"{held_out} together; raise most"
        )
    chance = random.Random(f"arithmetic/{seed}")
    chance.shuffle(facts)
    for at, (kind, numbers) in enumerate(facts[: train + held_out]):
        wording = chance.choice(_wordings()[kind])
        values = dict(zip("abc", map(str, numbers), strict=False))
        yield Sample(
            id=f"{kind}-{'-'.join(values.values())}",
            input=[
                ChatMessageSystem(content=chance.choice(_wordings()["system"])),
                ChatMessageUser(content=fill(wording, values, _WORDINGS.name)),
            ],
            target=str(_ANSWERS[kind](numbers)),
            metadata={"split": "held_out" if at < held_out else "train", "kind": kind},
        )


def _facts(most: int) -> list[tuple[str, Numbers]]:
    """Each pair of numbers once an operation, whichever of the two comes first; as many two-steps as sums."""
    pairs = [(a, b) for a in range(2, most + 1) for b in range(2, a + 1)]
    steps = [(a, b, 2 + (3 * a + 5 * b) % (a + b - 2)) for a, b in pairs]
    return [
        *(("sum", pair) for pair in pairs),
        *(("difference", pair) for pair in pairs),
        *(("product", pair) for pair in pairs),
        *(("two_step", step) for step in steps),
    ]


@cache
def _wordings() -> dict[str, list[str]]:
    given = load_mapping(_WORDINGS.read_text(encoding="utf-8"), _WORDINGS.name)
    return {kind: cast("list[str]", given[kind]) for kind in ("system", *_ANSWERS)}


@scorer(metrics=[mean(), stderr()])
def last_number_is_right() -> Scorer:
    """1 where the last number of the answer is the target, else 0; nothing for form; void where there is no answer."""

    async def score(state: TaskState, target: Target) -> Score:
        void = void_reason(state)
        if void:
            return Score.unscored(reason=void)
        number = last_number(state.output.completion)
        return Score(value=float(number == float(target.text)), answer=None if number is None else f"{number:g}")

    return score


def last_number(text: str) -> float | None:
    """The last number that stands in a text; a comma before three digits parts thousands."""
    found: list[Any] = _NUMBER.findall(text)
    return float(found[-1].replace(",", "").replace("−", "-")) if found else None
