"""``teachwhy eval``: measures any model that Inspect can reach, and says what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from inspect_ai import Task
from pydantic import ValidationError
from rich.console import Console

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Instrument, Verdict
from teachwhy.core.store import Store, write_atomic
from teachwhy.evals.capability.outside import Figures, also, figures_of
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.registry import EVALS
from teachwhy.judges.check import JudgeCheck, read_check
from teachwhy.judges.judging import open_judges
from teachwhy.lab.measure import (
    LOGS,
    count_samples,
    expect_evals,
    key_of,
    measure,
    open_target,
    quiet,
    run_tasks,
)
from teachwhy.lab.progress import Bar
from teachwhy.lab.rates import Line, lines
from teachwhy.lab.rates_console import print_lines
from teachwhy.lab.stages import weights_key
from teachwhy.lab.work import measuring

RATES = "rates.json"
PLAN = "plan.json"
"""Marks a measurement as whole."""
BEGUN = "begun.json"
"""What an unfinished measurement is of, so that only the same one goes on in its folder."""


@dataclass(frozen=True)
class Asked:
    """What the command was asked."""

    model: str
    evals: tuple[str, ...]
    plan: Plan
    out: Path
    check: Path | None = None
    """A check of the judges, by which rates are corrected."""
    also: tuple[str, ...] = ()
    """Public tasks to run beside, by their names in ``inspect_evals``."""


def read_plan(given: Mapping[str, Any]) -> Plan:
    """The plan that a command line gives. Raises ConfigError in one line for what cannot be."""
    try:
        return Plan.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "/".join(str(part) for part in first["loc"][:1])
        if name == "instruments":
            wrong = str(first["input"])
            raise ConfigError(f"unknown instrument {wrong!r}; {guess(wrong, get_args(Instrument))}") from None
        raise ConfigError(f"--{name.replace('_', '-')}: {first['msg']}") from None


def run_eval(asked: Asked, console: Console, *, dry_run: bool = False) -> list[Line]:
    """Measure a model; print and write its rates. A try that was stopped is gone on with, task by task.

    Raises ConfigError or ModelError, for what can be known beforehand before anything is written; a folder that holds
    another measurement, or a whole one, is refused.
    """
    quiet()
    expect_evals(asked.evals)
    open_judges(asked.plan.judges)
    check = read_check(asked.check) if asked.check is not None else None
    public = also(asked.also)
    samples = count_samples(asked.evals, asked.plan)
    console.print(f"{samples} samples of {', '.join(asked.evals)}")
    if dry_run:
        _print_extents(asked, console)
        return []
    if (asked.out / PLAN).exists():
        raise ConfigError(f"{asked.out} holds a measurement already; give another --out, or remove the folder")
    target = open_target(asked.model)
    with Store(asked.out).lock():
        _begin(asked)
        bar = Bar(console)
        with bar.running(measuring(samples)), bar.stage(asked.model, measuring(samples)) as step:
            verdicts = measure(target, asked.evals, asked.plan, asked.out, step)
        found = write_rates(verdicts, asked.out, check)
        figures = _run_public(public, asked)
        _finish(asked)
    print_lines(found, console)
    for one in figures:
        said = ", ".join(f"{name} {value:.3f}" for name, value in one.metrics.items())
        console.print(f"{one.task}: {said}; {one.samples} samples, {one.failed} failed", markup=False)
    console.print(
        f"logs, verdicts and {RATES} in {asked.out}; inspect view --log-dir {asked.out / LOGS}", soft_wrap=True
    )
    return found


def _print_extents(asked: Asked, console: Console) -> None:
    """Say for each condition which scenes it has the words for."""
    if "honeypots" not in asked.evals or not asked.plan.axes:
        return
    first, *_ = EVALS["honeypots"].tasks(asked.plan, None)
    for extent in cast("list[dict[str, Any]]", (first.metadata or {})["conditions"]):
        told = [f"{extent['scenes']} scenes"]
        told += [f"{extent['standing']} are so already, as written"] if extent["standing"] else []
        told += [f"{extent['wordless']} have no words for it and are left out"] if extent["wordless"] else []
        console.print(f"  {extent['condition'] or 'as written'}: {'; '.join(told)}", markup=False, soft_wrap=True)


def _begin(asked: Asked) -> None:
    """Write down what is measured; refuse a folder in which something else was begun."""
    path = asked.model.removeprefix("teachwhy/")
    told = {
        "model": asked.model,
        "weights": weights_key(Path(path)) if path != asked.model and Path(path).is_dir() else "",
        "evals": asked.evals,
        "also": asked.also,
        "plan": asked.plan.model_dump(mode="json"),
        "measured": key_of(asked.evals, asked.plan),
    }
    text = json.dumps(told, indent=2) + "\n"
    begun = asked.out / BEGUN
    if (asked.out / LOGS).exists() and not (begun.exists() and begun.read_text(encoding="utf-8") == text):
        raise ConfigError(
            f"{asked.out} holds the beginning of another measurement; give another --out, or remove the folder"
        )
    write_atomic(begun, text)


def _finish(asked: Asked) -> None:
    """Mark the folder as whole."""
    told = {"model": asked.model, "evals": asked.evals, "plan": asked.plan.model_dump(mode="json")}
    write_atomic(asked.out / PLAN, json.dumps(told, indent=2) + "\n")
    (asked.out / BEGUN).unlink()


def _run_public(tasks: Sequence[Task], asked: Asked) -> list[Figures]:
    """Run public tasks as they are, and keep what their logs say."""
    if not tasks:
        return []
    logs = run_tasks(tasks, open_target(asked.model), asked.out / "public")
    figures = [figures_of(log) for log in logs]
    rows = [one.model_dump(mode="json") for one in figures]
    write_atomic(asked.out / "public.json", json.dumps(rows, indent=1) + "\n")
    return figures


def write_rates(verdicts: Sequence[Verdict], out: Path, check: JudgeCheck | None) -> list[Line]:
    """Write ``rates.json``, over all families and for each; return the former."""
    found = lines(verdicts, check=check)
    rows = [line.model_dump(mode="json") for line in [*found, *lines(verdicts, by_family=True, check=check)]]
    write_atomic(out / RATES, json.dumps(rows, indent=1) + "\n")
    return found


def make_folder(folder: Path) -> None:
    """Make a folder; ConfigError in one line where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write {folder}: {error.strerror}; give another --out") from None
