"""How often each judge is right on labelled transcripts: what ``teachwhy judge check`` does.

The rules for which there is a rule are measured like a judge, under the name ``rules``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten

from inspect_ai.util import collect
from pydantic import Field, ValidationError
from rich.console import Console
from rich.table import Table

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Message, Record, Verdict
from teachwhy.core.stats import Agreement, Graded, Rate, Rated, accuracy, cohens_kappa
from teachwhy.core.store import content_key, write_atomic
from teachwhy.judges.agreement import Agreed, agreement
from teachwhy.judges.awareness import RULES, noticed
from teachwhy.judges.gold import GOLD, Gold, Label, load_gold
from teachwhy.judges.judging import as_text, judge, open_judges
from teachwhy.judges.rubric import named_rubric

RULED: Mapping[str, Callable[[Sequence[Message]], str]] = {"aware": noticed}
"""Dimension to the rule for it, which gives the words that it goes by, or nothing."""

_HALF = 0.5
_SHOWN = 200
"""Characters of a reason."""


class Found(Record):
    """What one judge found in one labelled transcript."""

    id: str
    dimension: str
    judge: str
    label: Label
    value: float | None
    quote: str = ""
    reason: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether it judged, and otherwise than the label; an ``unclear`` one should not have been judged."""
        return self.value is not None and self.label != ("yes" if self.value >= _HALF else "no")


class Measured(Record):
    """One judge on one dimension. Voids are in neither sensitivity nor specificity."""

    judge: str
    dimension: str
    hits: int
    """Labelled yes, judged yes."""
    misses: int
    """Labelled yes, judged no."""
    false_alarms: int
    """Labelled no, judged yes."""
    rejections: int
    """Labelled no, judged no."""
    unclear: int
    """Labelled unclear."""
    left_open: int
    """Labelled unclear, and rightly not judged."""
    sensitivity: Rate
    """Of what is labelled yes, the share judged yes; each transcript is its own cluster."""
    specificity: Rate
    """Of what is labelled no, the share judged no."""
    kappa: Agreement
    """Cohen's, with the labels."""
    graded: tuple[tuple[str, bool, float | None], ...]
    """Each transcript with a clear label: its id, whether the label is yes, what the judge said."""

    @property
    def void_share(self) -> float:
        """Of what is labelled yes or no, the share not judged."""
        both = (self.sensitivity, self.specificity)
        return sum(one.void for one in both) / max(1, sum(one.void + one.judged for one in both))


class JudgeCheck(Record):
    """How far judges are to be trusted, and by which wording and which transcripts that was measured."""

    judges: tuple[str, ...]
    rubrics: dict[str, str]
    """Dimension to the hash of its rubric: another wording must be measured anew."""
    gold: str
    """Stands for the labelled transcripts."""
    transcripts: int
    measured: tuple[Measured, ...]
    agreement: tuple[Agreed, ...] = ()
    wrong: tuple[Found, ...] = ()
    """What was judged otherwise than it is labelled."""
    void: tuple[Found, ...] = Field(default=())
    """What was not judged though its label says yes or no."""

    def gold_of(self, judges: Sequence[str], dimension: str) -> list[Graded]:
        """What corrects a rate by these judges' mean, as it is in a verdict; empty if one of them was not measured."""
        found = [self.of(judge, dimension) for judge in judges]
        said: dict[tuple[str, bool], list[float | None]] = {}
        for one in found:
            if one is None:
                return []
            for name, truth, value in one.graded:
                said.setdefault((name, truth), []).append(value)
        return [Graded(name, truth, _mean(values)) for (name, truth), values in said.items()]

    def of(self, judge: str, dimension: str) -> Measured | None:
        """What was measured of a judge on a dimension, if it was."""
        return next((one for one in self.measured if (one.judge, one.dimension) == (judge, dimension)), None)


def check_judge(judges: Sequence[str], dimension: str | None = None, folder: Path = GOLD) -> JudgeCheck:
    """Put every labelled transcript (of one dimension, or of all) to every judge; ``rules`` is a judge too.

    Raises ConfigError for no judges, no such dimension or no transcripts, ModelError for a judge that does not open.
    """
    asked = list(dict.fromkeys(judges))
    if not asked:
        raise ConfigError(f"no judge to check; name models as Inspect does, or {RULES!r}")
    golds = load_gold(folder, dimension)
    if not golds:
        raise ConfigError(f"no labelled transcripts in {folder.name}; each is a file <dimension>/<id>.md")
    if asked == [RULES] and not any(gold.dimension in RULED for gold in golds):
        raise ConfigError(f"there is no rule for {dimension!r}; there is one for {', '.join(RULED)}")
    open_judges([name for name in asked if name != RULES])
    found = asyncio.run(_put(asked, golds))
    return JudgeCheck(
        judges=tuple(asked),
        rubrics={name: named_rubric(name).sha256 for name in dict.fromkeys(gold.dimension for gold in golds)},
        gold=content_key([gold.model_dump(mode="json") for gold in golds]),
        transcripts=len(golds),
        measured=tuple(_measure(found)),
        agreement=tuple(agreement(_verdicts(found))),
        wrong=tuple(one for one in found if one.is_wrong),
        void=tuple(one for one in found if one.value is None and one.label != "unclear"),
    )


async def _put(judges: Sequence[str], golds: Sequence[Gold]) -> list[Found]:
    """All are asked at once; Inspect keeps to the connections that each model may have."""
    pairs = [(name, gold) for gold in golds for name in judges if name != RULES or gold.dimension in RULED]
    return await collect(*(_ask(name, gold) for name, gold in pairs))


async def _ask(name: str, gold: Gold) -> Found:
    found = Found(id=gold.id, dimension=gold.dimension, judge=name, label=gold.label, value=None)
    if name == RULES:
        quote = RULED[gold.dimension](gold.messages)
        return found.model_copy(update={"value": float(bool(quote)), "quote": quote, "reason": "by rule"})
    said = await judge(named_rubric(gold.dimension), as_text(gold.messages), [name])
    return found.model_copy(update={"value": said.value, "quote": said.quote, "reason": said.reason})


def _measure(found: Sequence[Found]) -> list[Measured]:
    groups: dict[tuple[str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.dimension, one.judge), []).append(one)
    return [_one(judge, dimension, group) for (dimension, judge), group in groups.items()]


def _one(judge: str, dimension: str, group: Sequence[Found]) -> Measured:
    clear = [one for one in group if one.label != "unclear"]
    pairs = [(one.label == "yes", one.value >= _HALF) for one in clear if one.value is not None]
    graded = [Graded(one.id, one.label == "yes", one.value) for one in clear]
    right = accuracy([item._replace(said=None if item.said is None else float(item.said >= _HALF)) for item in graded])
    labels = [Rated(item.cluster, {"label": item.truth, "judge": _said(item)}) for item in graded]
    counts = {pair: pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))}
    return Measured(
        judge=judge,
        dimension=dimension,
        hits=counts[True, True],
        misses=counts[True, False],
        false_alarms=counts[False, True],
        rejections=counts[False, False],
        unclear=len(group) - len(clear),
        left_open=sum(one.value is None for one in group if one.label == "unclear"),
        sensitivity=right.sensitivity,
        specificity=right.specificity,
        kappa=cohens_kappa(labels, "label", "judge"),
        graded=tuple((item.cluster, item.truth, item.said) for item in graded),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    judged = [value for value in values if value is not None]
    return sum(judged) / len(judged) if judged else None


def _said(item: Graded) -> bool | None:
    return None if item.said is None else item.said >= _HALF


def _verdicts(found: Sequence[Found]) -> list[Verdict]:
    """One verdict a transcript with every judge's opinion, which is what agreement is measured on."""
    opinions: dict[tuple[str, str], dict[str, float | None]] = {}
    for one in found:
        opinions.setdefault((one.dimension, one.id), {})[one.judge] = one.value
    return [
        Verdict(
            eval="gold",
            scenario=name,
            family=dimension,
            instrument="judge",
            dimension=dimension,
            sample=1,
            value=None,
            grader="+".join(given),
            opinions=given,
        )
        for (dimension, name), given in opinions.items()
    ]


def run_check(
    judges: Sequence[str], dimension: str | None = None, out: Path | None = None, console: Console | None = None
) -> JudgeCheck:
    """Check judges, print what was found, and keep it as JSON in ``out`` if that is given: the whole command."""
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot write {out}: {error.strerror}; give another --out") from None
    check = check_judge(judges, dimension)
    show(check, console or Console())
    if out is not None:
        write_atomic(out, check.model_dump_json(indent=2) + "\n")
    return check


def read_check(path: Path) -> JudgeCheck:
    """A check that was kept; ConfigError in one line for a file that is none."""
    try:
        return JudgeCheck.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfigError(f"{path}: not a check of judges: {said}; make one by 'teachwhy judge check'") from None


def show(check: JudgeCheck, console: Console) -> None:
    """Print a check: a table of the judges, their agreement, and each transcript that was judged wrong."""
    table = Table(title=f"Judges on {check.transcripts} labelled transcripts")
    for heading in ("dimension", "judge", "sensitivity", "specificity", "kappa", "void", "left open"):
        table.add_column(heading)
    for one in check.measured:
        table.add_row(
            one.dimension,
            one.judge,
            _share(one.hits, one.sensitivity),
            _share(one.rejections, one.specificity),
            _number(one.kappa.value),
            f"{one.void_share:.0%}",
            f"{one.left_open}/{one.unclear}",
        )
    console.print(table)
    for group in check.agreement:
        kappas = "; ".join(f"kappa {pair}: {_number(kappa.value)}" for pair, kappa in group.kappas.items())
        console.print(
            f"{group.dimension}: alpha {_number(group.alpha.value)} over {group.alpha.items} transcripts; {kappas}"
        )
    for title, group in (("Judged otherwise than labelled", check.wrong), ("Not judged", check.void)):
        if group:
            console.print(f"\n{title}:", markup=False)
        for one in group:
            said = "void" if one.value is None else f"{one.value:g}"
            reason = shorten(one.reason, _SHOWN, placeholder=" …")
            line = f"- {one.dimension}/{one.id}, labelled {one.label}, {one.judge}: {said}. {reason}"
            console.print(line, markup=False, highlight=False)


def _share(right: int, share: Rate) -> str:
    if share.value is None:
        return "none judged"
    return f"{right}/{share.judged} = {share.value:.0%} ({share.low:.0%} to {share.high:.0%})"


def _number(value: float | None) -> str:
    return "cannot tell" if value is None else f"{value:.2f}"
