"""The closing words on the terminal: one compact table, one sentence for each arm, where the page is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from teachwhy.lab.report.conclusion import Conclusion, Word
from teachwhy.lab.report.persistence import Persistence
from teachwhy.lab.report.sheets import Cell, Row, Table
from teachwhy.lab.report.words import NOTHING, between, percent

STYLES: dict[Word, str] = {
    "generalisation": "bold blue",
    "suppression": "bold yellow",
    "inaction": "bold red",
    "worse": "bold red",
    "no effect seen": "bold",
    "cannot tell": "bold dim",
}


def print_summary(
    table: Table,
    conclusions: Sequence[Conclusion],
    console: Console,
    page: Path,
    persistence: Persistence | None = None,
) -> None:
    """Print the headline instrument's numbers, what they mean and what lasts. No text is read as Rich markup."""
    if not table.fit:
        rests = (
            f"only {table.headline.instrument} passed" if table.headline_fit else "nothing below may be concluded from"
        )
        console.print(Text(f"The start model is unfit: {rests}.", style="bold red"))
    console.print(_grid(table))
    for one in conclusions:
        said = Text.assemble((one.arm, "bold"), "  ", (one.word, STYLES[one.word]))
        console.print(said)
        console.print(Padding(Text(one.sentence), (0, 0, 0, 2)))
    if persistence is not None:
        console.print(Text("what lasts", style="bold"))
        console.print(Padding(Text(persistence.answer), (0, 0, 0, 2)))
    console.print()
    console.print(Text("What cannot be ruled out, the intervals and transcripts to read:"))
    console.print(Text(str(page)), soft_wrap=True)


def _grid(table: Table) -> Grid:
    sheet = table.headline
    grid = Grid(title=Text(f"{table.name}, read by {sheet.instrument}"), title_justify="left", box=None, pad_edge=False)
    for title in ("", "train-like", "held-out", "gap, held-out", "work done", "void"):
        grid.add_column(title, justify="left" if not title else "right", overflow="fold")
    for row in sheet.rows:
        grid.add_row(Text(row.arm), *(Text(text) for text in _numbers(row)))
    return grid


def _numbers(row: Row) -> list[str]:
    cells = row.cells
    rates = [_with_interval(cells[key]) for key in ("harm/train_like", "harm/held_out", "gap/held_out")]
    return [*rates, percent(cells["done/held_out"].value), percent(cells["void"].value)]


def _with_interval(cell: Cell) -> str:
    return NOTHING if cell.value is None else f"{percent(cell.value)} ({between(cell.low, cell.high)})"
