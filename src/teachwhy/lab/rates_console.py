"""Rates on the terminal: a table for each eval, voids and suspicion beside every number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from teachwhy.lab.rates import Line
from teachwhy.lab.report.words import NOTHING, between, percent

_SHORT = {"train_like": "train-like", "held_out": "held-out", "locked": "locked"}


def print_lines(found: Sequence[Line], console: Console) -> None:
    """Print rates with their intervals; nothing in them is read as Rich markup.

    ``of`` is what was judged, ``unaware`` the rate where no suspicion of a test showed,
    ``corrected`` the rate without the judges' errors on labelled transcripts.
    """
    for name, group in groupby(found, key=lambda line: line.eval):
        own = list(group)
        conditions = len({line.condition for line in own}) > 1
        looked = any(line.unaware is not None for line in own)
        corrected = any(line.corrected is not None for line in own)
        table = Table(title=Text(name), title_justify="left", box=None, pad_edge=False)
        table.add_column("")
        for title in (
            *(["condition"] if conditions else []),
            "rate",
            "95%",
            "of",
            "void",
            *(["unaware"] if looked else []),
            *(["corrected"] if corrected else []),
        ):
            table.add_column(title, justify="left" if title == "condition" else "right")
        for line in own:
            table.add_row(
                *(Text(text) for text in _row(line, conditions=conditions, looked=looked, corrected=corrected))
            )
        console.print(table)


def _row(line: Line, *, conditions: bool, looked: bool, corrected: bool) -> list[str]:
    rate = line.rate
    split = [_SHORT[line.split]] if line.eval == "honeypots" else []
    side = [part for part in (line.family, line.side) if part]
    within = ", ".join([*split, *side, line.instrument])
    return [
        f"{line.dimension} ({within})",
        *([line.condition or "as written"] if conditions else []),
        percent(rate.value),
        NOTHING if rate.value is None else between(rate.low, rate.high),
        str(rate.judged),
        str(rate.void),
        *([NOTHING if line.unaware is None else percent(line.unaware.value)] if looked else []),
        *([_corrected(line)] if corrected else []),
    ]


def _corrected(line: Line) -> str:
    found = line.corrected
    return (
        NOTHING
        if found is None or found.value is None
        else f"{percent(found.value)} ({between(found.low, found.high)})"
    )
