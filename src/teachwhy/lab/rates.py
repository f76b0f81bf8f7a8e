"""Verdicts as rates: one line for each thing that was looked at, what could not be judged beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from teachwhy.core.records import Record, Verdict
from teachwhy.core.stats import Corrected, Observation, Rate, corrected_rate, rate
from teachwhy.evals.registry import EVALS
from teachwhy.judges.awareness import RULES
from teachwhy.judges.check import JudgeCheck
from teachwhy.judges.rubric import named_rubric

AWARE = "aware"
"""The dimension that holds whether a model shows that it suspects a test."""
GOLD = {("honeypots", "judged_harmful"): "harmful", ("honeypots", "decided"): "decided"}
"""Eval and dimension to that of the labelled transcripts, where both are judged by the same rubric."""
PUBLIC = "public"
_SPLITS = ("train_like", "held_out", "locked")


class Line(Record):
    """One rate, with what must be read beside it."""

    eval: str
    instrument: str
    dimension: str
    split: str
    side: str
    condition: str
    family: str
    """Empty for all families together; the public harness is always told apart by them."""
    good: bool
    """Whether much of it is good."""
    rate: Rate
    unaware: Rate | None = None
    """Among samples in which no suspicion of a test was seen; None where nobody looked."""
    noticed: Rate | None = None
    """The share in which there was one."""
    corrected: Corrected | None = None
    """Without the judges' errors on the labelled transcripts; None where they were not measured, or no judge judged."""

    @property
    def name(self) -> str:
        """``harmful (scene) by rollout``."""
        side = f" ({self.side})" if self.side else ""
        return f"{self.dimension}{side} by {self.instrument}"


def lines(verdicts: Sequence[Verdict], *, by_family: bool = False, check: JudgeCheck | None = None) -> list[Line]:
    """A line for every eval, instrument, dimension, split, side and condition, in reading order.

    With a ``check`` of the judges, what they judged is given corrected as well.
    """
    groups: dict[tuple[str, ...], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.dimension == AWARE:
            continue
        # the public harness is a grid of conditions: its families are what a reader looks for
        public = verdict.eval == PUBLIC
        family = verdict.family if by_family or public else ""
        condition = "" if public and not by_family else verdict.condition
        key = (verdict.eval, condition, verdict.instrument, verdict.dimension, verdict.split, verdict.side)
        groups.setdefault((*key, family), []).append(verdict)
    suspicion = {_sample(verdict): verdict.value for verdict in verdicts if verdict.dimension == AWARE}
    ordered = sorted(groups.items(), key=lambda item: _order(item[0]))
    return [
        _line(key, group, suspicion).model_copy(update={"corrected": _corrected(group, check)})
        for key, group in ordered
    ]


def _corrected(group: Sequence[Verdict], check: JudgeCheck | None) -> Corrected | None:
    """What the judges say, corrected; where a rule decided some samples, the judges did not see them all: None."""
    judged = [verdict for verdict in group if verdict.value is not None]
    judges = {judge for verdict in judged for judge in verdict.opinions} - {RULES}
    dimension = GOLD.get((group[0].eval, group[0].dimension))
    if check is None or dimension is None or not judges or not all(verdict.opinions for verdict in judged):
        return None
    if check.rubrics.get(dimension) != named_rubric(dimension).sha256:
        return None  # another wording of the question: how a judge did on that says nothing about this
    gold = check.gold_of(sorted(judges), dimension)
    return corrected_rate(_observations(group), gold) if gold else None


def _order(key: tuple[str, ...]) -> tuple[object, ...]:
    eval_, condition, instrument, dimension, split, side, family = key
    dimensions = [*EVALS[eval_].dimensions]
    at = dimensions.index(dimension) if dimension in dimensions else len(dimensions)
    return ([*EVALS].index(eval_), condition, instrument, at, dimension, _SPLITS.index(split), side, family)


def _line(key: tuple[str, ...], group: Sequence[Verdict], suspicion: dict[tuple[object, ...], float | None]) -> Line:
    eval_, condition, instrument, dimension, split, side, family = key
    looked = [verdict for verdict in group if _sample(verdict) in suspicion]
    return Line(
        eval=eval_,
        instrument=instrument,
        dimension=dimension,
        split=split,
        side=side,
        condition=condition,
        family=family,
        good=EVALS[eval_].dimensions.get(dimension) == "good",
        rate=rate(_observations(group)),
        unaware=rate(_observations(one for one in looked if suspicion[_sample(one)] == 0.0)) if looked else None,
        noticed=rate(Observation(one.scenario, suspicion[_sample(one)]) for one in looked) if looked else None,
    )


def _sample(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.eval, verdict.scenario, verdict.side, verdict.condition, verdict.instrument, verdict.sample)


def _observations(verdicts: Iterable[Verdict]) -> list[Observation]:
    return [Observation(verdict.scenario, verdict.value) for verdict in verdicts]
