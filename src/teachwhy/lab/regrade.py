"""``teachwhy grade``: grades what was measured again, with other judges or newer rules; samples nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from inspect_ai import score as inspect_score  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import get_model
from rich.console import Console

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Verdict
from teachwhy.core.store import content_key, write_atomic, write_lines
from teachwhy.evals.registry import EVALS
from teachwhy.judges.check import read_check
from teachwhy.judges.judging import open_judges
from teachwhy.lab.evaluate import make_folder, write_rates
from teachwhy.lab.measure import LOGS, VERDICTS, quiet, read_verdicts
from teachwhy.lab.rates import Line
from teachwhy.lab.rates_console import print_lines

MARK = "graded.json"
"""Stands in a folder that holds a grading, so that none is graded as if it were a measurement."""


def grade_again(
    run: Path, judges: Sequence[str], out: Path | None, console: Console, check: Path | None = None
) -> list[Line]:
    """Grade every finished log of ours under ``run`` again; the logs stay as they are.

    Raises ConfigError where there is none, or where the place to write to cannot be used.
    """
    quiet()
    stages = find_logs(run)
    open_judges(judges)
    measured = read_check(check) if check is not None else None
    place = out or run / "graded" / content_key([list(judges)])[:12]
    if place.exists() and any(place.iterdir()):
        raise ConfigError(f"{place} holds something already; give another --out, or remove the folder")
    make_folder(place)
    write_atomic(place / MARK, json.dumps({"judges": list(judges), "of": str(run)}, indent=2) + "\n")
    every: list[Line] = []
    for name, logs in stages.items():
        here = place / name if len(stages) > 1 else place
        verdicts = _grade(logs, judges, here)
        write_lines(here / VERDICTS, verdicts)
        rates = write_rates(verdicts, here, measured)
        if len(stages) > 1:
            console.print(name, style="bold")
        print_lines(rates, console)
        every += rates
    console.print(f"graded again, nothing sampled: {place}", soft_wrap=True)
    return every


def find_logs(run: Path) -> dict[str, dict[str, EvalLog]]:
    """Stage to file name to log: of ours, and whole. Unfinished stages and earlier gradings are passed by."""
    gradings = {path.parent for path in run.rglob(MARK)}
    found: dict[str, dict[str, EvalLog]] = {}
    for path in sorted(run.rglob("*.eval")):
        within = path.relative_to(run).parts
        if any(part.startswith(".") for part in within) or gradings & set(path.parents):
            continue
        about = (read_eval_log(str(path), header_only=True).eval.metadata or {}) if path.stat().st_size else {}
        if about.get("eval") not in EVALS or about.get("instrument") == "petri":
            continue
        log = read_eval_log(str(path))
        if log.status == "success":
            stage = path.parent.parent if path.parent.name == LOGS else path.parent
            found.setdefault(stage.name, {})[path.name] = log
    if not found:
        raise ConfigError(f"no finished Inspect log of ours under {run}; give a folder that teachwhy eval or run made")
    return found


def _grade(logs: dict[str, EvalLog], judges: Sequence[str], here: Path) -> tuple[Verdict, ...]:
    # the model that was measured may be gone, or cost money: none stands in for it
    nobody = get_model("none/none")
    graded: list[EvalLog] = []
    make_folder(here / LOGS)
    for name, log in logs.items():
        about = log.eval.metadata or {}
        scorer = EVALS[str(about["eval"])].scorer(str(about["instrument"]), judges)
        again = inspect_score(log, scorer, model=nobody, action="overwrite", display="none", copy=False)
        write_eval_log(again, str(here / LOGS / name))
        graded.append(again)
    return read_verdicts(graded)
