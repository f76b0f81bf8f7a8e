"""The card of a set of rows: what it is, how it was made, what is in it, in the form of the hubs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from teachwhy.core.records import Example
from teachwhy.interventions import INTERVENTIONS, Built
from teachwhy.interventions.writers import Ledger

_FRONT = """---
license: {license}
language: [en]
tags: [teachwhy, alignment, {name}]
configs:
- config_name: default
  data_files:
  - split: train
    path: rows.parquet
---
"""


def dataset_card(name: str, inputs: Mapping[str, Any], built: Built, ledger: Ledger) -> str:
    """The card of one build, as Markdown with the front matter that hubs read."""
    library = inputs["writer"] == "library"
    parts = [
        _FRONT.format(license="apache-2.0" if library else "other", name=name),
        f"# Training rows: {name}\n",
        f"{INTERVENTIONS[name].about[0].upper()}{INTERVENTIONS[name].about[1:]}. Made by teachwhy.\n",
        _warning(built.rows),
        _how(inputs, built, ledger),
        _table(["rows", "tokens", "longest row", "shortest row"], [_sizes(built.rows)]),
        "## Dropped\n",
        _counts("reason", built.dropped) or "Nothing.\n",
        "## Clauses\n",
        _counts("clause", Counter(clause for row in built.rows for clause in row.clauses)) or "None named.\n",
        "## Before you train on it\n",
        "Check it: `teachwhy check` on this folder looks for text of the evaluations (their canary, runs of 13 words, "
        "near duplicates), duplicates within, recurring phrases, empty reasoning and mentions of testing.\n",
    ]
    return "\n".join(part for part in parts if part)


def _warning(rows: Sequence[Example]) -> str:
    number = sum(row.intervention == "conflict" for row in rows)
    if not number:
        return ""
    return (
        f"**{number} of these rows contradict the constitution on purpose**, for stress tests; their `intervention` is "
        "`conflict`. Do not mix them in unmarked.\n"
    )


def _how(inputs: Mapping[str, Any], built: Built, ledger: Ledger) -> str:
    writer = inputs["writer"]
    models = writer if isinstance(writer, str) else ", ".join(f"{role}: `{model}`" for role, model in writer.items())
    lines = [
        f"- Writer: {models}",
        f"- Constitution: sha256 `{inputs['constitution'][:12]}`",
        f"- Budget: {inputs['tokens']} tokens; seed {inputs['seed']}",
    ]
    families = sorted({row.family for row in built.rows if row.family})
    if families:
        lines.append(f"- Families that scenes came from: {', '.join(families)}")
    if inputs["without"]:
        lines.append(f"- Stages left out: {', '.join(inputs['without'])}")
    lines += [f"- {option}: {value}" for option, value in inputs["options"].items()]
    if ledger.calls:
        money = f", ${ledger.cost:.2f}" if ledger.cost else ""
        lines.append(f"- Spent: {ledger.calls} calls, {ledger.reads} tokens read, {ledger.writes} written{money}")
        lines += [f"- Calls made again: {times} × {reason}" for reason, times in sorted(ledger.mishaps.items())]
    return "\n".join(lines) + "\n"


def _sizes(rows: Sequence[Example]) -> list[str]:
    lengths = [row.tokens for row in rows] or [0]
    return [str(len(rows)), str(sum(lengths)), str(max(lengths)), str(min(lengths))]


def _counts(what: str, counts: Mapping[str, int]) -> str:
    rows = [[name, str(number)] for name, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    return _table([what, "rows"], rows) if rows else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
