"""What a diagnosis cannot rule out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from teachwhy.diagnosis.describe import YES
from teachwhy.lab.diagnose.reading import ALIKE
from teachwhy.lab.report.words import between, count, percent

if TYPE_CHECKING:  # the report is what these are part of
    from teachwhy.lab.diagnose.report import Report


def open_ends(report: Report) -> list[str]:
    """What stays open, in sentences."""
    return [*_scenes(report), *_stages(report), *_rows(report), *_ablation(report)]


def _scenes(report: Report) -> Iterable[str]:
    failure = report.diagnosis.failure
    level = failure.level
    if level is None:
        return
    yield f"Other situations: the intervals speak about scenes like the {level.scene.clusters} that were measured."
    if failure.word != "seen":
        yield (
            f"A failure that these scenes do not show: harm beyond the twins may lie anywhere in "
            f"{between(level.gap.low, level.gap.high)} of such scenes by {level.instrument}."
        )
    for one in (report.compared.level(failure.stage, name) for name in report.compared.instruments):
        if one.scene.void:
            yield (
                f"What void samples hid: {one.scene.void} of {one.scene.void + one.scene.judged} on scenes by "
                f"{one.instrument}; with them harm lies anywhere in {between(one.scene.floor, one.scene.ceiling)}."
            )
    if failure.instrument == "likelihood":
        yield "That the model would do neither written act: likelihood compares acts that were written beforehand."
    if not report.compared.names:
        yield "That the agent's name did it: scenes were not repeated under other names (--names)."


def _stages(report: Report) -> Iterable[str]:
    first = next(iter(report.models))
    yield f"What came before {first}: whatever it brought, its pretraining or an earlier stage may have put there."
    yield "Luck of one training run: every stage is one checkpoint, and another seed may have come out otherwise."


def _rows(report: Report) -> Iterable[str]:
    if not report.data:
        yield "Anything that rests on training rows: none were given."
        return
    if report.described is not None:
        scenes, twins = (side.at(ALIKE, YES).share for side in (report.described.scenes, report.described.twins))
        yield (
            "That rows were described wrongly: the rule that finds a conflict with tools in hand finds one in "
            f"{percent(scenes)} of the scenes themselves, and in {percent(twins)} of their benign twins."
        )
    if not report.judges:
        yield (
            "How rows end: no judge read them. The rule that does sees no context, and a share by it is corrected for "
            "its errors on written acts, which need not be its errors here."
        )
    unread = sum(source.unreadable for source in report.sources)
    if unread:
        yield f"What {count(unread, 'row')} hold that could not be read; no share counts them."
    missing = [name for name in [*report.models][1:] if name not in report.data]
    if missing:
        yield f"What {' and '.join(missing)} trained on: no rows of it were given."


def _ablation(report: Report) -> Iterable[str]:
    if not report.ablation:
        yield "That rows and harm only go together: nothing was left out of training (--ablate)."
        return
    last = report.compared.level(report.diagnosis.failure.stage, report.diagnosis.failure.instrument)
    whole = report.ablation[0]
    yield (
        f"That training anew is not what was done: here all rows give {percent(whole.scene.value)} harm on scenes, and "
        f"{last.stage} has {percent(last.scene.value)}."
    )
    yield "Sources that matter only together: each was left out alone, with one seed."
