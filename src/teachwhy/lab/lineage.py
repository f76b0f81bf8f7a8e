"""The ancestry of a row: every answer it was made from, back to where nothing was asked before."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Example
from teachwhy.interventions.writers import Answer, read_answers
from teachwhy.lab.build import ANSWERS
from teachwhy.lab.dataset import read_examples

_SHOWN = 400


def explain_row(folder: Path, name: str, console: Console) -> None:
    """Print a row's whole ancestry. Raises ConfigError for a row that is not in the folder."""
    rows = {row.id: row for row in read_examples(folder)}
    if name not in rows:
        raise ConfigError(f"no row {name!r} in {folder}; {_nearest(name, rows)}")
    row = rows[name]
    answers, _ = read_answers(folder / ANSWERS)
    tree = Tree(f"[bold]{escape(row.id)}[/] {row.intervention}, {row.tokens} tokens, by {escape(row.writer)}")
    tree.add(f"clauses: {', '.join(row.clauses) or 'none named'}")
    if row.cost:
        tree.add(f"paid for it alone: ${row.cost:.4f}")
    _grow(tree, row, rows, answers)
    console.print(tree)


def _grow(tree: Tree, row: Example, rows: dict[str, Example], answers: dict[str, Answer]) -> None:
    if row.source in answers:
        _add(tree, answers[row.source], answers, set())
    elif row.source in rows:
        parent = rows[row.source]
        _grow(tree.add(f"made from row {escape(parent.id)}, {parent.tokens} tokens"), parent, rows, answers)
    else:
        tree.add(f"made from {escape(row.source)}" + (f" at stage {row.stage}" if row.stage else ", as it was written"))


def _add(tree: Tree, answer: Answer, answers: dict[str, Answer], seen: set[str]) -> None:
    """One answer a branch, those it was made from below it."""
    if answer.key in seen:
        tree.add(f"{answer.prompt} (above)")
        return
    seen.add(answer.key)
    calls = ", ".join(str(entry["function"]["name"]) for entry in answer.tool_calls)
    text = " ".join(answer.text.split())[:_SHOWN]
    branch = tree.add(
        f"[bold]{answer.prompt}[/] by {escape(answer.model)} as {answer.role}, prompt {answer.prompt_hash}, "
        f"{answer.reads} + {answer.writes} tokens"
        + (f", ${answer.cost:.4f}" if answer.cost else "")
        + f"\n{escape(text)}"
        + (f"\ncalls {escape(calls)}" if calls else "")
    )
    for parent in answer.parents:
        if parent in answers:
            _add(branch, answers[parent], answers, seen)


def _nearest(name: str, rows: dict[str, Example]) -> str:
    said = guess(name, rows)
    return said if len(rows) <= 5 else f"{said.partition('There is')[0]}{len(rows)} rows are listed in rows.jsonl"  # noqa: PLR2004
