"""Builds the rows of one intervention into a folder, from the library or with a writer, and explains them.

    teachwhy build advice --out data/advice --writer openai-api/local/my-model --tokens 500k

The folder: ``order.json`` says what was asked for and comes first, ``answers.jsonl`` grows as a writer answers, the
rows and their card follow, ``manifest.json`` comes last. The same command goes on where a crash or a limit stopped it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.store import MANIFEST, Store, content_key, folder_key, write_atomic
from teachwhy.interventions import INTERVENTIONS, Built, Intervention, Order, check_order, fill, fill_budget
from teachwhy.interventions.pipeline import Told
from teachwhy.interventions.writers import (
    Journal,
    Ledger,
    Roles,
    SpentError,
    Writers,
    open_models,
    read_answers,
    require_prices,
)
from teachwhy.lab.card import dataset_card
from teachwhy.lab.dataset import write_dataset

ANSWERS, ORDER = "answers.jsonl", "order.json"
LIBRARY = Path(__file__).parents[1] / "interventions" / "library"


@dataclass(frozen=True)
class Spending:
    """How a writer is asked, and where it ends."""

    connections: int = 16
    timeout: int = 300
    """Seconds, for one try of a call."""
    max_tokens: int | None = None
    max_dollars: float | None = None
    reuse: Path | None = None
    """Another build whose answers count as given."""


@dataclass(frozen=True)
class Request:
    """A build that was checked."""

    name: str
    order: Order
    roles: Roles | None
    """None for the library."""
    spending: Spending = field(default_factory=Spending)
    tokenizer: str = ""
    """The model whose tokens the order counts."""

    @property
    def intervention(self) -> Intervention:
        """What makes the rows."""
        return INTERVENTIONS[self.name]

    def inputs(self) -> dict[str, Any]:
        """All that the rows depend on, as JSON values."""
        order = self.order
        return {
            "intervention": self.name,
            "writer": self.roles.names() if self.roles else "library",
            "library": folder_key(LIBRARY),
            "constitution": order.constitution.sha256,
            "model_name": order.model_name,
            "provider_name": order.provider_name,
            "families": list(order.families),
            "tokens": order.tokens,
            "tokenizer": self.tokenizer,
            "seed": order.seed,
            "without": sorted(order.without),
            "options": dict(sorted(order.options.items())),
            "rows": content_key([row.to_line() for row in order.rows]) if order.rows else "",
        }


def check_request(request: Request) -> None:
    """Refuse whatever cannot be built, before anything is written or spent. Raises ConfigError or ModelError."""
    if request.name not in INTERVENTIONS:
        raise ConfigError(f"unknown intervention {request.name!r}; {guess(request.name, INTERVENTIONS)}")
    check_order(request.name, request.intervention, request.order, library=request.roles is None)
    if request.roles is None:
        return
    if request.spending.max_dollars is not None:
        require_prices(request.roles)
    reuse = request.spending.reuse
    if reuse is not None and not (reuse / ANSWERS).is_file():
        raise ConfigError(f"no answers in {reuse}; --reuse takes a folder that teachwhy build made with a writer")
    open_models(request.roles)


def build(request: Request, folder: Path, told: Told | None = None) -> tuple[Built, Ledger]:
    """Make the rows in memory, each answer of a writer kept in ``folder`` as it comes.

    Raises SpentError when a limit stops it before the budget is full: what was paid for stays in the folder.
    """
    if request.roles is None:
        built, ledger = _from_library(request), Ledger()
    else:
        built, ledger = _from_writer(request, request.roles, folder, told)
    if request.intervention.finish is not None:
        rows = tuple(request.intervention.finish(request.order, built.rows))
        built = built.model_copy(update={"rows": rows, "tokens": sum(row.tokens for row in rows)})
    if request.intervention.proof is not None:
        built = built.model_copy(update={"notes": request.intervention.proof(request.order, built.rows)})
    return built, ledger


def _from_library(request: Request) -> Built:
    assert request.intervention.library is not None  # noqa: S101 (check_order saw to it)
    order = request.order
    rows = [row.model_copy(update={"tokens": order.count(row)}) for row in request.intervention.library(order)]
    if request.intervention.rows != "changed":
        return fill_budget(rows, order.tokens, lambda row: row.tokens, order.seed)
    return Built(rows=tuple(rows), dropped={}, tokens=sum(row.tokens for row in rows))


def _from_writer(request: Request, roles: Roles, folder: Path, told: Told | None) -> tuple[Built, Ledger]:
    spending = request.spending
    reuse = read_answers(spending.reuse / ANSWERS)[0] if spending.reuse else {}
    ledger = Ledger(most_tokens=spending.max_tokens, most_dollars=spending.max_dollars)
    journal = Journal(folder / ANSWERS)
    try:
        writers = Writers(
            roles,
            journal,
            ledger,
            connections=spending.connections,
            timeout=spending.timeout,
            seed=request.order.seed,
            reuse=reuse,
        )
        built, limit = asyncio.run(_fill(request, writers, told))
    finally:
        journal.close()
    if limit is not None:
        raise SpentError(f"{limit} ({len(built.rows)} rows, {built.tokens} tokens so far; nothing is lost)")
    return built, ledger


async def _fill(request: Request, writers: Writers, told: Told | None) -> tuple[Built, SpentError | None]:
    assert request.intervention.pipeline is not None  # noqa: S101 (check_order saw to it)
    items = request.intervention.pipeline(request.order, writers)
    try:
        return await fill(items, request.order, writers, request.intervention.row_tokens, told)
    finally:
        await writers.close()


def build_folder(request: Request, out: Path, told: Told | None = None) -> tuple[Built, Ledger] | None:
    """Build into a folder of its own; None if that very build is there already.

    Raises ConfigError for a folder that holds another build, or that cannot be written to.
    """
    check_request(request)
    inputs = request.inputs()
    if _is_there(out, inputs):
        return None
    # the library's rows are made at once, so that nothing is written where they cannot be
    made = build(request, out) if request.roles is None else None
    with Store(out).lock():
        if _is_there(out, inputs):
            return None
        write_atomic(out / ORDER, json.dumps(inputs, indent=2) + "\n")
        built, ledger = made or build(request, out, told)
        write_built(request, built, ledger, out)
        manifest = {"key": content_key(inputs), "rows": len(built.rows), "tokens": built.tokens, "notes": built.notes}
        write_atomic(out / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return built, ledger


def write_built(request: Request, built: Built, ledger: Ledger, folder: Path) -> None:
    """Write the rows, what was dropped and why, and the card."""
    dropped = {"rows": built.dropped, "calls": dict(sorted(ledger.mishaps.items()))}
    write_atomic(folder / "dropped.json", json.dumps(dropped, indent=2) + "\n")
    write_dataset(folder, built.rows, dataset_card(request.name, request.inputs(), built, ledger))


def _is_there(out: Path, inputs: Mapping[str, Any]) -> bool:
    if not (out / ORDER).exists():
        strange = sorted(path.name for path in out.glob("*") if path.name != ".lock")
        if strange:
            raise ConfigError(f"{out} holds other files ({strange[0]}); give an empty folder, or a new one, with --out")
        return False
    try:
        before: dict[str, Any] = dict(json.loads((out / ORDER).read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ConfigError(f"{out / ORDER} is no order of teachwhy build; give another --out") from None
    changed = sorted(name for name in inputs if before.get(name) != inputs[name])
    if changed:
        raise ConfigError(f"{out} holds a build with another {' and '.join(changed)}; give another --out")
    return (out / MANIFEST).exists()
