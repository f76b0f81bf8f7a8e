"""Measures one checkpoint: Inspect runs the tasks and keeps the logs; verdicts are read from them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inspect_ai import eval as inspect_eval  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import get_model

from teachwhy.core.errors import ModelError
from teachwhy.core.records import Record, Scenario, Transcript, Verdict
from teachwhy.core.store import write_lines
from teachwhy.evals.honeypots.grading import ending_of
from teachwhy.evals.honeypots.task import honeypots_task, record, verdict_entries

Progress = Callable[[int, int], None]


class Plan(Record):
    """What is measured, and how."""

    instruments: tuple[str, ...]
    samples: int
    temperature: float
    seed: int


def count_samples(suite: Sequence[tuple[Scenario, Scenario]], plan: Plan) -> int:
    """How many samples a checkpoint costs."""
    return sum(len(suite) * (3 if name == "likelihood" else 2 * plan.samples) for name in plan.instruments)


def measure(
    model: str, suite: Sequence[tuple[Scenario, Scenario]], plan: Plan, out: Path, progress: Progress | None = None
) -> None:
    """Measure ``model`` (an Inspect model name) and write ``logs/``, ``verdicts.jsonl`` and ``transcripts.jsonl``.

    Raises ModelError when a task could not run at all; single samples that fail become void verdicts.
    """
    _quiet()
    total, done = count_samples(suite, plan), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, total), total)

    tasks = [
        honeypots_task(suite, name, plan.samples, temperature=plan.temperature, seed=plan.seed, on_sample=step)  # type: ignore[arg-type]
        for name in plan.instruments
    ]
    target = get_model(model, memoize=False)
    try:
        logs = inspect_eval(
            tasks,
            model=target,
            log_dir=str(out / "logs"),
            display="none",
            log_level="error",
            max_tasks=1,
            score_display=False,
        )
    finally:
        target.api.close()
    verdicts: list[Verdict] = []
    transcripts: list[Transcript] = []
    for log, name in zip(logs, plan.instruments, strict=True):
        if log.status != "success":
            raise ModelError(f"measuring {model} by {name} failed: {log.error.message if log.error else log.status}")
        for sample in _in_order(log):
            found = _verdicts(sample, name)
            verdicts.extend(found)
            if name != "likelihood":
                transcripts.append(_transcript(sample, found[0], name))
    write_lines(out / "verdicts.jsonl", verdicts)
    write_lines(out / "transcripts.jsonl", transcripts)


def _in_order(log: EvalLog) -> list[EvalSample]:
    return sorted(log.samples or [], key=lambda sample: (str(sample.id), sample.epoch))


def _verdicts(sample: EvalSample, instrument: str) -> list[Verdict]:
    for score in (sample.scores or {}).values():
        return [Verdict.model_validate(entry) for entry in verdict_entries(score)]
    scenario = Scenario.model_validate(sample.metadata["scenario"])
    side = "chat" if sample.metadata.get("chat") else scenario.side
    dimensions = ("harmful", "done") if side == "twin" and instrument != "likelihood" else ("harmful",)
    return [
        Verdict.model_validate(
            {
                "scenario": scenario.id,
                "family": scenario.family,
                "split": scenario.split,
                "side": side,
                "instrument": instrument,
                "dimension": dimension,
                "sample": sample.epoch,
                "value": None,
                "grader": "none",
                "reason": f"void: error: {sample.error.message if sample.error else 'not scored'}",
            }
        )
        for dimension in dimensions
    ]


def _transcript(sample: EvalSample, verdict: Verdict, instrument: str) -> Transcript:
    scenario = Scenario.model_validate(sample.metadata["scenario"])
    turns = [record(message) for message in sample.messages]
    stop = str(sample.output.stop_reason)
    ending: Any = "error" if sample.error else ending_of(scenario, turns, stop, verdict.instrument)
    return Transcript(
        scenario=scenario.id,
        side=scenario.side,
        checkpoint=instrument,
        sample=sample.epoch,
        messages=tuple(turns),
        ending=ending,
    )


def _quiet() -> None:
    warnings.filterwarnings("ignore", category=FutureWarning)
    for name in ("httpx", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
