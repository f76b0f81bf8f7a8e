"""Small orders, and the builds that fill them from an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from endpoint import Endpoint
from teachwhy.constitution import Constitution, load_constitution
from teachwhy.core.records import Example
from teachwhy.interventions import INTERVENTIONS, Built, Order
from teachwhy.interventions.explained.build import explained_rows
from teachwhy.interventions.library.shelf import advice_dialogues
from teachwhy.interventions.writers import Answer, Ledger, Roles, read_answers
from teachwhy.lab.build import ANSWERS, Request, Spending, build_folder
from tiny import scratch_folder

WRITER = "openai-api/local/scripted"
FAMILIES = ("falsified_records", "leaking")


def words(row: Example) -> int:
    return max(1, len(row.said().split()))


@cache
def constitution() -> Constitution:
    file = scratch_folder() / "three.md"
    whole = load_constitution("default")
    file.write_text("\n\n".join(f"## {clause.heading}\n\n{clause.text}" for clause in whole.clauses[:3]))
    return load_constitution(file)


def order(name: str, tokens: int = 700, without: Sequence[str] = (), **options: str) -> Order:
    plain = Order(families=FAMILIES, constitution=constitution(), tokens=tokens, count=words, options=options)
    rows: list[Example] = []
    if INTERVENTIONS[name].rows == "changed":
        rows = [*explained_rows(plain)[:2], *advice_dialogues()[:3]]
        rows = [row.model_copy(update={"tokens": words(row)}) for row in rows]
    return replace(plain, rows=tuple(rows), without=frozenset(without))


def ask(name: str, endpoint: Endpoint, asked: Order | None = None, *, key: str = "none", **spending: Any) -> Request:
    given = {"model": WRITER, "args": {"base_url": endpoint.url, "api_key": key}}
    return Request(name, asked or order(name), Roles.model_validate({"writer": given}), Spending(**spending))


def made(request: Request, out: Path) -> tuple[Built, Ledger]:
    result = build_folder(request, out)
    assert result is not None
    return result


def answers_of(folder: Path) -> dict[str, Answer]:
    return read_answers(folder / ANSWERS)[0]
