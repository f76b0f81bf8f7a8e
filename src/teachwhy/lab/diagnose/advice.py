"""What to do about what was found: interventions of ours, why each, and an experiment file that runs them.

A recommendation follows from the explanations that are supported, by a fixed table (``advice.yaml``). It says what is
worth trying first, not what will work: the experiment is there to find that out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Instrument, Record
from teachwhy.core.store import write_atomic
from teachwhy.diagnosis.hypotheses import Diagnosis
from teachwhy.evals.evaluation import Plan
from teachwhy.lab.diagnose.measuring import OURS, Stage
from teachwhy.lab.experiment import HELD_OUT, load_experiment
from teachwhy.models.catalogue import MODELS, resolve
from teachwhy.organisms import STAGES

UNSURE = "unsure"
"""The entry of ``advice.yaml`` for a failure that none of the explanations accounts for."""
NEXT = "next.yaml"
_TOKENS = 20_000
_WIDTH = 110


class Advice(Record):
    """One thing to do, and because of what."""

    explanation: str
    """The hypothesis that it follows from; ``unsure`` where none is supported."""
    says: str
    arms: dict[str, Any]
    """Arms of the experiment: name to interventions, as in an experiment file."""


def advise(found: Diagnosis) -> tuple[Advice, ...]:
    """What follows from the explanations that are supported; nothing where no failure is established."""
    if found.failure.word != "seen":
        return ()
    names = [one.name for one in found.hypotheses if one.word == "supported"]
    return tuple(_table()[name] for name in names or [UNSURE])


def write_experiment(
    advice: Sequence[Advice], last: Stage, plan: Plan, instrument: str, out: Path
) -> tuple[Path | None, str]:
    """Write ``next.yaml`` into ``out`` and check that it reads; (None, why not) where there is nothing to run."""
    if not advice:
        return None, "no failure is established, so there is nothing to train against"
    if not last.trainable:
        return None, f"{last.given} is not on this machine, so no arm can be trained from it; give a folder of weights"
    path = out / NEXT
    write_atomic(path, _experiment(advice, last, plan, instrument))
    load_experiment(path)
    return path, ""


def _experiment(advice: Sequence[Advice], last: Stage, plan: Plan, instrument: str) -> str:
    arms: dict[str, Any] = {"replay": {"replay": _TOKENS}}
    for one in advice:
        arms |= {name: {part: _sized(value) for part, value in parts.items()} for name, parts in one.arms.items()}
    instruments: list[Instrument] = list(plan.instruments)
    data: dict[str, Any] = {
        "name": "next",
        "start": _start(last),
        "held_out": list(HELD_OUT),
        "arms": arms,
        "control": "replay",
        "recipe": {"method": "lora", "rank": 16, "alpha": 32, "batch": 4, "micro_batch": 2, "epochs": 2},
        "measure": {"instruments": instruments, "samples": plan.samples, "temperature": plan.temperature},
        "seeds": [0],
        "unfit": True,
    }
    said = [line for part in _head(advice, last, instrument) for line in wrap(part, _WIDTH)]
    # leaves in one line each, as the experiment files that ship are written
    written = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=None)
    return "\n".join([*(f"# {line}" for line in said), written])


def _sized(value: object) -> object:
    return _TOKENS if value == "tokens" else value


def _head(advice: Sequence[Advice], last: Stage, instrument: str) -> list[str]:
    return [
        f"What to try on {last.name} next, written by teachwhy diagnose. Run it with: teachwhy run {NEXT}",
        *(" ".join(one.says.split()) for one in advice),
        f"The failure was seen by {instrument}; an arm counts where it lowers that on families it did not train on.",
        "unfit: the failure is established already by that instrument, so the check of the start stops nothing.",
        "One seed finds a direction; put three into seeds before you rank arms.",
    ]


def _start(last: Stage) -> dict[str, str]:
    if last.given in STAGES:
        return {"organism": last.given, "model": STAGES[last.given][0].base}
    name = last.given.removeprefix(OURS)
    return {"model": name if name in MODELS else str(resolve(name).resolve())}


@cache
def _table() -> dict[str, Advice]:
    path = Path(__file__).with_name("advice.yaml")
    table = load_mapping(path.read_text("utf-8"), path.name)
    return {name: Advice.model_validate({"explanation": name, **entry}) for name, entry in table.items()}
