"""Finds an Inspect task by the name that ``inspect eval`` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from inspect_ai import Task
from inspect_ai._eval.loader import load_tasks
from inspect_ai._util.registry import registry_lookup

from teachwhy.core.errors import ConfigError, TeachwhyError, guess


def find_task(name: str, known: Iterable[str]) -> Callable[[], Task]:
    """What makes the task of that name: ``package/task`` or ``file.py@task``.

    Raises ConfigError, naming what is ``known`` besides, for a name that stands for nothing; what is returned raises it
    for a task that cannot be made.
    """
    file, at, task = name.partition("@")
    if at and not (Path(file).suffix == ".py" and Path(file).is_file() and task):
        raise ConfigError(f"no task at {name!r}: {file!r} is no Python file here; write file.py@task")
    if not at and ("/" not in name or registry_lookup("task", name) is None):
        hint = "no installed package has such a task" if "/" in name else guess(name, known)
        raise ConfigError(
            f"unknown environment {name!r}; {hint}; or name an Inspect task, package/task or file.py@task"
        )
    return lambda: _load(name)


def _load(name: str) -> Task:
    try:
        tasks = load_tasks([name])
    except TeachwhyError:
        raise
    except Exception as error:  # whatever the task's own code raises
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConfigError(f"the task {name!r} cannot be loaded: {said}") from None
    if len(tasks) != 1:
        raise ConfigError(f"{name!r} names {len(tasks)} tasks; name one")
    return tasks[0]
