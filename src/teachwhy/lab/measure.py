"""Measures one checkpoint: Inspect runs the evals' tasks and keeps the logs; verdicts are read from them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from pathlib import Path

from inspect_ai import Task
from inspect_ai import eval as inspect_eval  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import Model, get_model

from teachwhy import evals as evals_package
from teachwhy import judges as judges_package
from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError, ModelError, TeachwhyError, guess
from teachwhy.core.records import Transcript, Verdict
from teachwhy.core.store import content_key, write_lines
from teachwhy.evals.constitution.items import measured_text as items_text
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.task import transcript_of
from teachwhy.evals.registry import EVALS
from teachwhy.evals.scoring import verdicts_of

HONEYPOTS = "honeypots"
Progress = Callable[[int, int], None]

VERDICTS = "verdicts.jsonl"
TRANSCRIPTS = "transcripts.jsonl"
LOGS = "logs"


def expect_evals(names: Collection[str]) -> None:
    """Refuse no name at all, the name of an eval that there is not, or one that stands twice."""
    if not names:
        raise ConfigError(f"no eval is named; {guess('', EVALS)}")
    for name in names:
        if list(names).count(name) > 1:
            raise ConfigError(f"eval {name!r} is named twice; name it once")
        if name not in EVALS:
            raise ConfigError(f"unknown eval {name!r}; {guess(name, EVALS)}")


def count_samples(evals: Sequence[str], plan: Plan) -> int:
    """How many samples a checkpoint costs."""
    return sum(len(one.dataset) * (one.epochs or 1) for name in evals for one in EVALS[name].tasks(plan, None))


def key_of(evals: Sequence[str], plan: Plan) -> str:
    """What stands for all that a measurement depends on beside the checkpoint: texts, versions of tasks, the plan."""
    return _key(tuple(evals), plan.to_line())


@cache  # every arm of a seed asks for the same
def _key(evals: tuple[str, ...], line: str) -> str:
    plan = Plan.from_line(line)
    texts = [sorted(EVALS[name].measured_text().items()) for name in evals]
    graders = [grading_text(Path(package.__file__ or "").parent) for package in (evals_package, judges_package)]
    versions = [[str(one.version) for one in EVALS[name].tasks(plan, None)] for name in evals]
    own = [load_constitution(plan.constitution).sha256] if "constitution" in evals else []
    if own and plan.items:  # what a user wrote: the path alone would not tell that it changed
        own += [content_key(sorted(items_text(Path(plan.items)).items()))]
    return content_key([evals, texts, graders, versions, plan.model_dump(mode="json"), own])


def grading_text(folder: Path) -> list[tuple[str, str]]:
    """Rubrics, rules and word lists: what decides a verdict and is no code."""
    files = [path for kind in ("*.md", "*.yaml") for path in folder.rglob(kind) if path.name != "README.md"]
    return sorted((str(path.relative_to(folder)), path.read_text(encoding="utf-8")) for path in files)


def measure(
    target: Model, evals: Sequence[str], plan: Plan, out: Path, progress: Progress | None = None
) -> tuple[Verdict, ...]:
    """Measure a model and write ``logs/`` and ``verdicts.jsonl``; return the verdicts. The model is closed.

    Raises ModelError when a task could not run at all; single samples that fail become void verdicts.
    """
    total, done = 0, 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(min(done, total), total)

    tasks = [one for name in evals for one in EVALS[name].tasks(plan, step)]
    total = sum(len(one.dataset) * (one.epochs or 1) for one in tasks)
    return measure_tasks(target, tasks, out)


def measure_tasks(target: Model, tasks: Sequence[Task], out: Path) -> tuple[Verdict, ...]:
    """The same for tasks that are there already."""
    quiet()
    try:
        logs = run_tasks(tasks, target, out)
    finally:
        target.api.close()
    for log, one in zip(logs, tasks, strict=True):
        if log.status != "success":
            raise ModelError(
                f"measuring {target} by {one.name} failed: {log.error.message if log.error else log.status}"
            )
    verdicts = read_verdicts(logs)
    write_lines(out / VERDICTS, verdicts)
    write_lines(out / TRANSCRIPTS, read_transcripts(logs))
    return verdicts


def open_target(model: str) -> Model:
    """The model by Inspect's name. Raises ModelError in one line for one that does not open."""
    try:
        return get_model(model, memoize=False)
    except TeachwhyError:
        raise
    except Exception as error:  # Inspect and the providers each have their own
        raise ModelError(f"cannot open the model {model!r}: {error}") from None


def run_tasks(tasks: Sequence[Task], target: Model, out: Path) -> list[EvalLog]:
    """Run tasks one after the other on one model; their logs go to ``logs/`` in ``out``.

    A task whose finished log stands there already, from a try that was stopped, is not run again; an unfinished log is
    removed and its task run from its beginning. Whoever calls sees to it that the folder is of the same measurement.
    """
    there = _finished(out / LOGS)
    missing = [one for one in tasks if one.name not in there]
    ran = iter(
        inspect_eval(
            missing,
            model=target,
            log_dir=str(out / LOGS),
            display="none",
            log_level="error",
            max_tasks=1,
            score_display=False,
        )
        if missing
        else ()
    )
    return [there[one.name] if one.name in there else next(ran) for one in tasks]


def _finished(folder: Path) -> dict[str, EvalLog]:
    """The finished logs in a folder by the name of their task; others are removed."""
    found: dict[str, EvalLog] = {}
    for path in sorted(folder.glob("*.eval")):
        try:
            log = read_eval_log(str(path))
        except Exception:  # cut off in the middle of writing: what it raises depends on where
            log = None
        if log is not None and log.status == "success":
            found[log.eval.task.rpartition("/")[-1]] = log
        else:
            path.unlink()
    return found


def read_verdicts(logs: Iterable[EvalLog]) -> tuple[Verdict, ...]:
    """What the samples of some logs count as, in the order of the logs, their samples sorted."""
    return tuple(verdict for log in logs for sample in in_order(log) for verdict in verdicts_of(sample))


def read_transcripts(logs: Iterable[EvalLog]) -> list[Transcript]:
    """The transcripts of honeypots, which a report shows; those of other evals stay in their logs."""
    found: list[Transcript] = []
    for log in logs:
        about = log.eval.metadata or {}
        if about.get("eval") == HONEYPOTS and about.get("instrument") != "likelihood":
            found.extend(transcript_of(sample, str(about["instrument"])) for sample in in_order(log))
    return found


def in_order(log: EvalLog) -> list[EvalSample]:
    """A log's samples by name and number: equal runs then read equally."""
    return sorted(log.samples or [], key=lambda sample: (str(sample.id), sample.epoch))


def quiet() -> None:
    """The libraries below keep their notices to themselves."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    for name in ("httpx", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
