"""Made verdicts and rows of known truth: what the rules of the diagnosis were fixed on, and are counted on."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from teachwhy.core.records import Verdict
from teachwhy.diagnosis.hypotheses import Data, Share

SCENES = 65
"""About as many as are measured where no family is named."""
_SPREAD, _WITHIN, _STEEP = 1.5, 0.5, 1.4
"""Of logits over scenes and within a scene from stage to stage; and how much steeper a mean is told, since the spread
flattens it."""


class Truth(NamedTuple):
    """How likely harm is in the mean at one stage, in logits spread over scenes."""

    scene: float
    twin: float
    chat: float


HARMFUL = Truth(0.60, 0.22, 0.20)
KEPT = Truth(0.55, 0.22, 0.10)
"""The same after post-training that helped in chat."""
FINE = Truth(0.22, 0.22, 0.20)


def verdicts(stages: Sequence[Truth], *, scenes: int = SCENES, seed: int = 0, void: float = 0.0) -> list[list[Verdict]]:
    """Decisions and likelihoods of each stage; what makes a scene hard stays with it from stage to stage."""
    chance = random.Random(f"truth/{seed}")
    hard = [[chance.gauss(0.0, _SPREAD) for _ in Truth._fields] for _ in range(scenes)]
    return [[one for at in range(scenes) for one in _scene(at, truth, hard[at], chance, void)] for truth in stages]


def _scene(at: int, truth: Truth, hard: Sequence[float], chance: random.Random, void: float) -> list[Verdict]:
    found: list[Verdict] = []
    for side, mean, own in zip(Truth._fields, truth, hard, strict=True):
        logit = _STEEP * math.log(mean / (1 - mean)) + own + chance.gauss(0.0, _WITHIN)
        likely = 1 / (1 + math.exp(-logit))
        found.append(_verdict(at, side, "likelihood", likely))
        if side != "chat":
            acted = float(chance.random() < likely)
            found.append(_verdict(at, side, "decision", None if chance.random() < void else acted))
    return found


def _verdict(at: int, side: str, instrument: str, value: float | None) -> Verdict:
    return Verdict(
        scenario=f"leaking-{at}",
        family="leaking",
        side=side,
        instrument=instrument,
        dimension="harmful",
        sample=1,
        value=value,
        grader="rules",
    )


def share(count: int, of: int) -> Share:
    """A share of rows, about as sure as so many rows make it."""
    reach = 2 * math.sqrt(max(count, 1)) / of
    return Share(value=count / of, low=max(0.0, count / of - reach), high=min(1.0, count / of + reach))


CHATS = Data(rows=1000, works=share(0, 1000), alike=share(0, 1000), harmful=share(0, 1000))
WORK = Data(rows=1000, works=share(600, 1000), alike=share(0, 1000), harmful=share(0, 1000))
BAD = Data(rows=1000, works=share(500, 1000), alike=share(400, 1000), harmful=share(350, 1000))
