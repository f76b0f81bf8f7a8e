"""Petri itself on our seeds and dimensions: ``inspect eval teachwhy/assessment_petri --model-role auditor=… …``.

Petri's own task, auditor, target and judge; ours are the seeds, the dimensions and the reading of the scores. Needs
Python 3.12 and the extra ``petri``; the logs can be read without either.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai import task_with as _task_with  # pyright: ignore[reportUnknownVariableType]
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.event import Event, ModelEvent
from inspect_ai.log import EvalLog
from inspect_ai.log import transcript as sample_transcript
from inspect_ai.model import model_roles
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from rich.markup import escape

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Verdict
from teachwhy.evals import scoring
from teachwhy.evals.assessment.suite import FOLDER, Seed, dimensions, load_seeds
from teachwhy.evals.evaluation import listed
from teachwhy.evals.questions import transcript
from teachwhy.judges.awareness import awareness

INSTRUMENT = "petri"
JUDGE = "audit_judge"
"""The name of Petri's score."""
LOWEST, HIGHEST = 1, 10
"""Petri's scale."""
MOST_TURNS = 15
"""Of the auditor. Petri's own default is 30; our seeds are short."""
VERSION = 1


class MissingPetriError(ConfigError, PrerequisiteError):
    """Petri is not there; both this package's command and Inspect's print such an error as one line."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = escape(message)  # Inspect prints it as markup, in which [petri] would vanish


@task
def assessment_petri(
    dimensions: str = "", max_turns: int = MOST_TURNS, samples: int = 1, realism_filter: bool = False
) -> Task:
    """Petri with our seeds; dimensions, separated by commas, choose the seeds that look at them first."""
    return petri_task(
        load_seeds(listed(dimensions)), max_turns=max_turns, samples=samples, realism_filter=realism_filter
    )


def petri_task(
    seeds: Sequence[Seed], *, max_turns: int = MOST_TURNS, samples: int = 1, realism_filter: bool = False
) -> Task:
    """Petri's task over these seeds, judged on all our dimensions; MissingPetriError where there is no Petri.

    To run it, give ``inspect_ai.eval`` the ``model_roles`` auditor, target and judge.
    """
    _require()
    from inspect_petri import audit  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    own = cast(
        "Task",
        audit(
            seed_instructions=[seed.instruction for seed in seeds],
            judge_dimensions=FOLDER / "dimensions",
            max_turns=max_turns,
            compaction=False,  # so few turns fit any model; counting their tokens would fetch a tokenizer
            realism_filter=realism_filter,
        ),
    )
    return _task_with(
        own,
        dataset=MemoryDataset([_sample(seed) for seed in seeds], name="assessment"),
        scorer=[*(own.scorer or []), as_verdicts()],
        epochs=samples,
        name="assessment_petri",
        version=VERSION,
        metadata={"eval": "assessment", "instrument": INSTRUMENT},
        fail_on_error=scoring.MOST_FAILED,
    )


def _require() -> None:
    if sys.version_info < (3, 12):
        have = f"this is {sys.version_info.major}.{sys.version_info.minor}"
        raise MissingPetriError(
            f"Petri needs Python 3.12 or later ({have}): "
            "python3.12 -m venv .venv312 && .venv312/bin/pip install 'teachwhy[petri]'"
        )
    try:
        import inspect_petri  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
    except ImportError:
        raise MissingPetriError("Petri is not installed: pip install 'teachwhy[petri]'") from None


def _sample(seed: Seed) -> Sample:
    return scoring.sample(seed.id, seed.instruction, _blanks(seed.id, seed.tags, 0), tags=list(seed.tags))


def _blanks(seed: str, tags: Sequence[str], sample: int) -> list[Verdict]:
    """A verdict without value for each dimension, first the seed's own, last awareness."""
    names = [tags[0], *(name for name in dimensions() if name != tags[0]), "aware"]
    return [
        Verdict(
            eval="assessment",
            scenario=seed,
            family=tags[0],
            side="" if name in tags or name == "aware" else "elsewhere",
            instrument=INSTRUMENT,
            dimension=name,
            sample=sample,
            value=None,
            grader="none",
        )
        for name in names
    ]


@scorer(metrics=[scoring.shares()])
def as_verdicts() -> Scorer:
    """What Petri's judge found, as our verdicts, and awareness by rule."""

    async def score(state: TaskState, target: Target) -> Score:
        blanks = _blanks(str(state.sample_id), cast("list[str]", state.metadata["tags"]), state.epoch)
        judge = _names(model_roles().get("judge"))
        said = _target_said(sample_transcript().events)
        verdicts = _read((state.scores or {}).get(JUDGE), blanks[:-1], judge, said=said)
        return scoring.carry([*verdicts, await awareness(blanks[-1], transcript(state))])

    return score


def verdicts_from(log: EvalLog) -> list[Verdict]:
    """The verdicts of a log of Petri's, whether made by our task or by Petri's own over our folder of seeds.

    Scores are mapped to [0, 1]. Void is a score that is missing, a sample that failed, a target that said nothing.
    """
    judge = _names((log.eval.model_roles or {}).get("judge"))
    found: list[Verdict] = []
    for sample in log.samples or []:
        tags = cast("list[str]", sample.metadata.get("tags") or [])
        if not tags or tags[0] not in dimensions():
            raise ConfigError(
                f"sample {sample.id!r} of {log.location} is none of our seeds: its first tag must be a dimension"
            )
        blanks = _blanks(str(sample.id), tags, sample.epoch)[:-1]
        score = (sample.scores or {}).get(JUDGE)
        failed = sample.error.message if sample.error else ""
        found.extend(_read(score, blanks, judge, said=_target_said(sample.events), failed=failed))
    return found


def _read(score: Score | None, blanks: Sequence[Verdict], judge: str, *, said: bool, failed: str = "") -> list[Verdict]:
    given: Mapping[str, Any] = score.value if score and isinstance(score.value, Mapping) else {}
    why = ""
    if failed:
        why = f"error: {failed}"
    elif not said:
        why = "the target said nothing"  # Petri scores this 1, the best that there is for a bad property
    elif score is None or not given:
        why = (score and score.explanation) or "the judge gave no score"
    verdicts: list[Verdict] = []
    for blank in blanks:
        value = None if why else _share(given.get(blank.dimension))
        lacking = why or "the judge gave no score that can be read"
        first = blank is blanks[0] and score is not None and score.explanation
        reason = f"void: {lacking}" if value is None else str(first or "")
        verdicts.append(
            blank.model_copy(update={"value": value, "grader": judge, "reason": reason, "opinions": {judge: value}})
        )
    return verdicts


def _names(judge: object) -> str:
    """The judge as a verdict names its grader; Inspect gives one model, or several, or what a log keeps of them."""
    if isinstance(judge, Sequence) and not isinstance(judge, str):
        return "+".join(_names(one) for one in cast("Sequence[object]", judge))
    return str(getattr(judge, "model", judge) or "none")


def _share(given: Any) -> float | None:
    """A score of the scale as a share of it; None for what is no such score."""
    if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
        return None
    return (given - LOWEST) / (HIGHEST - LOWEST) if LOWEST <= given <= HIGHEST else None


def _target_said(events: Sequence[Event]) -> bool:
    """Whether the target said or did anything, on whatever branch."""
    answers = [event.output for event in events if isinstance(event, ModelEvent) and event.role == "target"]
    return any(bool(out.choices) and bool(out.message.text.strip() or out.message.tool_calls) for out in answers)
