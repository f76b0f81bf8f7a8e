"""A diagnosis on the terminal: what would be done, or what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from teachwhy.diagnosis.hypotheses import Word
from teachwhy.lab.diagnose import sentences
from teachwhy.lab.diagnose.ablate import recipe_of
from teachwhy.lab.diagnose.report import Report
from teachwhy.lab.report.words import NOTHING, between, change, count, percent
from teachwhy.lab.work import training

if TYPE_CHECKING:  # the command prints by these
    from teachwhy.lab.diagnose.command import Job

STYLES: dict[Word, str] = {"supported": "bold red", "contradicted": "bold blue", "cannot tell": "bold dim"}
_MINUTE = 60


def print_dry_run(job: Job, console: Console) -> None:
    """What would be measured and trained, and about how long it takes; nothing is asked of any model."""
    for stage in job.stages:
        by = ", ".join(job.plans[stage.name].instruments)
        console.print(Text(f"measure {stage.name} ({stage.given}) by {by}: {job.samples[stage.name]} samples"))
    for source in job.asked.data:
        one = job.tallies[source.name]
        where = f", which trained {source.stage}" if source.stage else ""
        console.print(Text(f"read {source.path}{where}: {count(one.rows, 'row')}, {one.unreadable} unreadable"))
    recipe = recipe_of(job.stages[-1])
    for one in job.variants:
        minutes = training(one.tokens, recipe) / _MINUTE
        console.print(
            Text(f"train on {one.name}: {count(len(one.rows), 'row')}, {one.tokens} tokens, {minutes:.0f} minutes")
        )
    console.print(Text(f"in all about {job.seconds() / _MINUTE:.0f} minutes on two cores; nothing was measured"))


def print_report(report: Report, page: Path, console: Console) -> None:
    """The numbers by stage, the three words, what to do, and where the page is. Nothing is read as Rich markup."""
    found = report.diagnosis
    instrument = found.failure.instrument or next(iter(report.compared.instruments), "")
    if instrument:
        console.print(_grid(report, instrument))
    console.print(Text(sentences.answer(found), style="bold"))
    for one in found.hypotheses if found.failure.word == "seen" else ():
        console.print(Text.assemble((one.title, "bold"), "  ", (one.word, STYLES[one.word])))
        for finding in one.findings:
            said = f"{sentences.tell_fit(finding)}: {finding.says} {sentences.tell_finding(finding, found)}"
            console.print(Padding(Text(said), (0, 0, 0, 2)))
    for advice in report.advice:
        console.print(Text(advice.says))
    if report.experiment:
        console.print(Text(f"To try it: teachwhy run {report.experiment}"), soft_wrap=True)
    console.print(Text("What cannot be ruled out, the rows nearest to the failing scenes, every number:"))
    console.print(Text(str(page)), soft_wrap=True)


def _grid(report: Report, instrument: str) -> Table:
    grid = Table(title=Text(f"read by {instrument}"), title_justify="left", box=None, pad_edge=False)
    for title in ("", "scenes", "twins", "beyond the twins", "chat", "void"):
        grid.add_column(title, justify="left" if not title else "right", overflow="fold")
    for one in report.compared.levels:
        if one.instrument == instrument:
            scene = f"{percent(one.scene.value)} ({between(one.scene.low, one.scene.high)})"
            chat = percent(one.chat.value) if one.chat else NOTHING
            cells = (one.stage, scene, percent(one.twin.value), change(one.gap), chat, percent(one.void))
            grid.add_row(*(Text(cell) for cell in cells))
    return grid
