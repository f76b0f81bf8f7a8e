"""Writes a report's three files: one self-contained page, its tables in Markdown, and everything as JSON.

Equal results give equal bytes: no date, no path and no random id is written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from teachwhy.core.store import write_atomic
from teachwhy.lab.report import words
from teachwhy.lab.report.chart import draw_charts
from teachwhy.lab.report.conclusion import WORDS, Conclusion, answer, conclude
from teachwhy.lab.report.limits import limits
from teachwhy.lab.report.lines import choose_looks, draw_main, draw_more
from teachwhy.lab.report.persistence import FATES, Persistence, describe_persistence
from teachwhy.lab.report.rendering import render
from teachwhy.lab.report.samples import choose_samples
from teachwhy.lab.report.sheets import START, Column, Sheet, Table
from teachwhy.lab.report.table import make_table
from teachwhy.lab.results import Measured, Results


def write_report(results: Results, out: Path) -> tuple[Table, tuple[Conclusion, ...]]:
    """Write ``index.html``, ``report.md`` and ``report.json`` into ``out``; return what they say."""
    table = make_table(results)
    conclusions = conclude(results, table)
    open_questions = limits(results, table)
    persistence = describe_persistence(results)
    values = _values(results, table, conclusions, open_questions) | _lasting(results, persistence)
    files = {
        "index.html": render("page.html", values),
        "report.md": render("page.md", values),
        "report.json": _json(results, table, conclusions, open_questions, persistence),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_atomic(out / name, text.encode("utf-8", "replace").decode("utf-8"))  # a model may write half a character
    return table, conclusions


def _values(
    results: Results, table: Table, conclusions: Sequence[Conclusion], open_questions: Sequence[str]
) -> dict[str, Any]:
    """Everything that the templates may name."""
    return {
        "table": table,
        "answer": answer(conclusions),
        "facts": _facts(table),
        "conclusions": conclusions,
        "definitions": WORDS,
        "charts": draw_charts(table),
        "grids": [(sheet, _grids(sheet)) for sheet in table.sheets],
        "beside": [(sheet, _parts(sheet)) for sheet in table.beside],
        "limits": open_questions,
        "checks": results.fitness.checks,
        "missed": [check for check in results.fitness.checks if not check.passed],
        "samples": choose_samples(results),
        "trained": [one for one in results.arms if one.steps or one.rows or one.tokens],
        "config": results.config,
        "scenes": sorted(results.scenes.items()),
        "versions": sorted(results.versions.items()),
        "hashes": sorted(results.hashes.items()),
        "start": START,
        "between": words.between,
        "count": words.count,
    }


def _lasting(results: Results, persistence: Persistence | None) -> dict[str, Any]:
    """What the section on what lasts may name: of each phase the arms' looks, the pictures, and those behind a fold."""
    charts: dict[str, Any] = {}
    for phase in persistence.phases if persistence else ():
        looks = choose_looks(phase.arms, results.control)
        charts[phase.name] = (looks, draw_main(phase, looks), draw_more(phase, looks))
    return {"persistence": persistence, "phase_charts": charts, "fates": FATES}


def _facts(table: Table) -> list[str]:
    """The experiment at a glance."""
    sheet = table.headline
    seeds = {len(row.seeds) for row in sheet.rows if row.role != "start"}  # the control is always among them
    cells = sheet.row(START).cells
    scenes = [f"{cells['harm/train_like'].scenes} train-like", f"{cells['harm/held_out'].scenes} held-out scenes"]
    return [
        table.model,
        f"{words.count(len(table.arms), 'arm')} against {table.control}",
        _span(seeds),
        " and ".join(scenes),
        f"read by {sheet.instrument}",
    ]


def _span(seeds: set[int]) -> str:
    if len(seeds) > 1:
        return f"{min(seeds)} to {max(seeds)} seeds each"
    return f"{words.count(next(iter(seeds)), 'seed')} each" if seeds else "no seeds"


def _grids(sheet: Sheet) -> list[tuple[str, list[Column]]]:
    """The columns of a sheet in two tables that fit a page."""
    harm = [column for column in sheet.columns if column.kind == "harm"]
    rest = [column for column in sheet.columns if column.kind != "harm"]
    return [("Harmful acts on scenes", harm), ("What must be read beside them", rest)]


WIDE = 6
"""Columns that fit a page."""


def _parts(sheet: Sheet) -> list[tuple[str, list[Column]]]:
    """The columns of an eval by instrument, in tables that fit a page."""
    found: list[tuple[str, list[Column]]] = []
    for instrument in dict.fromkeys(column.instrument for column in sheet.columns):
        own = [column for column in sheet.columns if column.instrument == instrument]
        found += [(f"{sheet.instrument}, by {instrument}", own[at : at + WIDE]) for at in range(0, len(own), WIDE)]
    return found


def _json(
    results: Results,
    table: Table,
    conclusions: Sequence[Conclusion],
    open_questions: Sequence[str],
    persistence: Persistence | None,
) -> str:
    data = {
        "table": table.model_dump(mode="json"),
        "conclusions": [one.model_dump(mode="json") for one in conclusions],
        "cannot_rule_out": list(open_questions),
        "fitness": {
            "fit": results.fitness.fit,
            "forced": results.fitness.forced,
            "headline": results.fitness.headline,
            "checks": [{**check.model_dump(mode="json"), "passed": check.passed} for check in results.fitness.checks],
        },
        "persistence": persistence.model_dump(mode="json") if persistence else None,
        "training": [_training(one) for one in (*results.arms, *results.later)],
        "scenes": results.scenes,
        "config": results.config,
        "versions": results.versions,
        "hashes": results.hashes,
    }
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _training(one: Measured) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude={"verdicts", "transcripts"})
