"""Named public tasks of ``inspect_evals`` beside ours: run as they are, and their scores kept as they are.

They are not ours to grade again, so they carry no verdicts: what is kept of a log is its own metrics.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, cast

from inspect_ai import Task
from inspect_ai.log import EvalLog
from inspect_ai.util import registry_info

from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Record

PACKAGE = "inspect_evals"
_INSTALL = "pip install 'teachwhy[public]'"
_LONGEST = 300


class Figures(Record):
    """What a public task's log says."""

    task: str
    model: str
    version: str
    samples: int
    """How many were scored."""
    failed: int
    """How many were not."""
    metrics: dict[str, float]
    """``scorer/metric``, as the task computes it."""


def also(names: Sequence[str]) -> list[Task]:
    """The public tasks of these names, such as ``ifeval`` or ``inspect_evals/xstest``.

    Raises ConfigError for a name that is none, and ModelError with the line that installs what is missing, or that says
    why a task cannot be set up: most fetch their data when they are made.
    """
    if not names:
        return []
    known = _known()
    short = [name.strip().removeprefix(f"{PACKAGE}/") for name in names]
    for name in short:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(near)}? " if near else ""
            raise ConfigError(f"{PACKAGE} has no task {name!r}; {hint}`inspect list tasks {PACKAGE}` lists them")
    return [_make(name, known[name]) for name in dict.fromkeys(short)]


def _known() -> dict[str, Callable[[], Task]]:
    """Every task of the package by its name; its registry is what Inspect itself reads."""
    found = [entry for entry in entry_points(group="inspect_ai") if entry.name == PACKAGE]
    if not found:
        raise ModelError(f"public tasks need {PACKAGE}, which is not installed: {_INSTALL}")
    module = cast("dict[str, Any]", vars(found[0].load()))
    return {name: value for name, value in module.items() if _is_task(value)}


def _is_task(value: object) -> bool:
    try:
        return registry_info(value).type == "task"
    except ValueError:
        return False


def _make(name: str, make: Callable[[], Task]) -> Task:
    try:
        return make()
    except Exception as error:  # each task has its own: no network, no package, no key, no agreement to terms
        cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        reason = " ".join(cause.split())[:_LONGEST]
        raise ModelError(f"{PACKAGE}/{name} cannot be set up: {reason}") from None


def figures_of(log: EvalLog) -> Figures:
    """The small record of a public task's log. Raises ModelError for one that did not finish."""
    name = f"{PACKAGE}/{log.eval.task.rpartition('/')[2]}"
    if log.status != "success" or log.results is None:
        raise ModelError(f"{name} did not finish: {log.error.message if log.error else log.status}")
    metrics = {
        f"{score.name}/{metric}": float(found.value)
        for score in log.results.scores
        for metric, found in score.metrics.items()
    }
    done, total = log.results.completed_samples, log.results.total_samples
    return Figures(
        task=name,
        model=log.eval.model,
        version=str(log.eval.task_version),
        samples=done,
        failed=total - done,
        metrics=metrics,
    )
