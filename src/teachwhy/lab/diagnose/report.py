"""The record of a diagnosis, and its three files: one self-contained page, Markdown, and everything as JSON.

Equal findings give equal bytes: no date and no timing is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from teachwhy.core.records import Record
from teachwhy.core.store import write_atomic
from teachwhy.diagnosis import hypotheses as rules
from teachwhy.diagnosis.gap import Gap
from teachwhy.diagnosis.hypotheses import Data, Diagnosis
from teachwhy.diagnosis.judged import Judged
from teachwhy.diagnosis.stages import Stages
from teachwhy.lab.diagnose import sentences
from teachwhy.lab.diagnose.ablate import ALL, Trained
from teachwhy.lab.diagnose.advice import Advice
from teachwhy.lab.diagnose.coverage import Described, Neighbours
from teachwhy.lab.diagnose.limits import open_ends
from teachwhy.lab.report import words
from teachwhy.lab.report.rendering import render

PAGE, TEXT, DATA = "index.html", "diagnosis.md", "diagnosis.json"
_SHOWN_GAPS = 20


class SourceRead(Record):
    """A source of rows that was given."""

    name: str
    stage: str
    rows: int
    unreadable: int


class Report(Record):
    """All that was found."""

    models: dict[str, str]
    """Stage to model, in the order of training."""
    sources: tuple[SourceRead, ...]
    plan: str
    compared: Stages
    diagnosis: Diagnosis
    before_ablation: Diagnosis | None = None
    """The words without the ablation, where there was one."""
    data: dict[str, Data]
    described: Described | None = None
    """The rows after the first stage beside the scenes."""
    judged: Judged | None = None
    """A judge's description of a sample of them beside the rules', where there is a judge."""
    nearest: tuple[Neighbours, ...] = ()
    ablation: tuple[Trained, ...] = ()
    advice: tuple[Advice, ...] = ()
    experiment: str = ""
    no_experiment: str = ""
    judges: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict[str, str])
    hashes: dict[str, str] = Field(default_factory=dict[str, str])


def write_report(report: Report, out: Path) -> Path:
    """Write the three files into ``out``; returns the page."""
    values = _values(report)
    data = report.model_dump(mode="json", by_alias=True)
    told = {"answer": values["answer"], "failure": values["failure"], "cannot_rule_out": values["open_ends"]}
    files = {
        PAGE: render("page.html", values, __package__ or ""),
        TEXT: render("page.md", values, __package__ or ""),
        DATA: json.dumps({**told, **data}, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
    }
    for name, text in files.items():
        write_atomic(out / name, text.encode("utf-8", "replace").decode("utf-8"))  # rows may hold half a character
    return out / PAGE


def _values(report: Report) -> dict[str, Any]:
    """Everything that the templates may name."""
    found = report.diagnosis
    return {
        "report": report,
        "answer": sentences.answer(found),
        "failure": sentences.tell_failure(found.failure, report.compared),
        "hypotheses": [
            (
                one,
                [(each, sentences.tell_finding(each, found), sentences.tell_fit(each)) for each in one.findings],
                sentences.tell_word(one),
            )
            for one in found.hypotheses
        ],
        "steps": {name: _steps(report, name) for name in report.compared.instruments},
        "ablation": _ablation(report),
        "first": next(iter(report.models)),
        "covered": _covered(report),
        "gaps": [sentences.tell_gap(gap) for gap in _gaps(report)],
        "nearest": report.nearest,
        "open_ends": open_ends(report),
        "limits": {
            "margin": rules.MARGIN,
            "nothing": rules.NOTHING,
            "floor": rules.FLOOR,
            "void": rules.MOST_VOID,
            "trickle": rules.TRICKLE,
        },
        "share": sentences.tell_share,
        "between": words.between,
        "count": words.count,
    }


def _gaps(report: Report) -> list[Gap]:
    """The gaps of which something is said, the widest first."""
    every = report.described.gaps if report.described else ()
    return [gap for gap in every if gap.word in ("missing", "rarer")][:_SHOWN_GAPS]


def _steps(report: Report, instrument: str) -> Sequence[tuple[Any, str]]:
    compared, p = report.compared, report.diagnosis.p
    decides = instrument == report.diagnosis.failure.instrument
    steps = [*compared.steps_by(instrument)]
    if len(steps) > 1:
        steps.append(compared.net_by(instrument))
    return [
        (step, sentences.tell_step(step, p.get(f"{step.before} → {step.after}") if decides else None)) for step in steps
    ]


def _covered(report: Report) -> str:
    data = report.data.get("")
    if data is None:
        return "Only rows of the first stage were given; whether post-training covered the situation cannot be said."
    return (
        f"Of {data.rows:,} rows after the first stage, {sentences.tell_share(data.works)} call a tool, and "
        f"{sentences.tell_share(data.alike)} are like the scenes: tools in hand and a conflict of goals."
    )


def _ablation(report: Report) -> str:
    """Which source moved the harm, and whether that agrees with the words that were said without it."""
    if not report.ablation or report.before_ablation is None:
        return ""
    whole = next(one for one in report.ablation if one.name == ALL)
    again = f"Trained anew on all rows, harm goes {words.change(whole.gap)} beyond the twins."
    fell = [
        f"{one.without} ({words.change(one.against_all)})"
        for one in report.ablation
        if one.without and one.against_all is not None and one.against_all.high < 0
    ]
    moved = f"It fell where these rows were left out: {'; '.join(fell)}." if fell else "Left out, no source lowered it."
    after = {one.name: one.word for one in report.diagnosis.hypotheses}
    agrees = [
        f"“{one.title}” was {one.word} without it and is {after[one.name]} with it"
        for one in report.before_ablation.hypotheses
        if one.word != after[one.name] or one.word == "supported"
    ]
    return " ".join([again, moved, *(f"{said}." for said in agrees)])
