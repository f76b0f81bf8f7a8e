"""``teachwhy build``: from what was typed to a checked request, its estimate, its progress and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Example
from teachwhy.interventions import INTERVENTIONS, Built, Order
from teachwhy.interventions.library.shelf import training_scenes
from teachwhy.interventions.writers import Ledger, Roles
from teachwhy.interventions.writers.roles import LIBRARY
from teachwhy.lab.build import Request, Spending, build_folder, check_request
from teachwhy.lab.counting import counter
from teachwhy.lab.dataset import read_examples
from teachwhy.lab.estimate import estimate
from teachwhy.lab.experiment import HELD_OUT, Tokens
from teachwhy.lab.needs import require
from teachwhy.worlds.scenes import FAMILIES, LOCKED

TOKENS = 20_000
"""The budget where none is given."""


@dataclass(frozen=True)
class Asked:
    """What was typed."""

    name: str
    out: Path
    tokens: str | None
    """None for what is usual."""
    constitution: str
    model_name: str
    provider_name: str
    writer: str
    roles: Path | None
    families: tuple[str, ...] | None
    """None for all that are not held out."""
    rows: Path | None
    without: tuple[str, ...]
    options: tuple[str, ...]
    tokenizer: str
    seed: int
    spending: Spending


def run_build(asked: Asked, console: Console, *, dry_run: bool) -> None:
    """Check, then build and say what came of it; with ``dry_run`` say what it would take."""
    request = to_request(asked)
    if dry_run:
        check_request(request)
        console.print(estimate(request))
        return
    with console.status(f"building {asked.name}") as status:

        def told(rows: int, tokens: int) -> None:
            status.update(f"building {asked.name}: {rows} rows, {tokens} of {request.order.tokens} tokens")

        made = build_folder(request, asked.out, told)
    if made is None:
        console.print(f"{asked.out} holds this build already; nothing to do.")
        return
    _say(asked, *made, console)


def to_request(asked: Asked) -> Request:
    """The request that the command line stands for. Raises ConfigError in one line for what cannot be."""
    require("train")
    families = _families(asked.families)
    constitution = load_constitution(asked.constitution, asked.model_name, asked.provider_name)
    count = counter(asked.tokenizer)
    rows = [row.model_copy(update={"tokens": count(row)}) for row in read_examples(asked.rows)] if asked.rows else []
    order = Order(
        families=families,
        constitution=constitution,
        tokens=_tokens(asked, rows),
        count=count,
        seed=asked.seed,
        without=frozenset(asked.without),
        options=dict(_option(text) for text in asked.options),
        rows=tuple(rows),
        model_name=asked.model_name,
        provider_name=asked.provider_name,
    )
    return Request(asked.name, order, _roles(asked), asked.spending, asked.tokenizer)


def _families(given: tuple[str, ...] | None) -> tuple[str, ...]:
    if given is None:
        return tuple(family for family in FAMILIES if family not in (*HELD_OUT, *LOCKED))
    for family in given:
        if family not in FAMILIES:
            raise ConfigError(f"unknown family {family!r}; {guess(family, FAMILIES)}")
    # a filter that leaves nothing is a mistake, whatever is built
    training_scenes(given)
    return given


def _tokens(asked: Asked, rows: Sequence[Example]) -> int:
    """The budget; where none is given, as much as the rows hold, so that what is matched to them can be."""
    if asked.tokens is None:
        # what is mixed in is a small part of all, and a writer is paid for each
        mixed_in = asked.name in INTERVENTIONS and INTERVENTIONS[asked.name].rows == "mixed_in"
        return TOKENS if mixed_in else sum(row.tokens for row in rows) or TOKENS
    try:
        return TypeAdapter(Tokens).validate_python(asked.tokens)
    except ValidationError:
        raise ConfigError(f"--tokens {asked.tokens!r} is no number of tokens; write 20000, 20k or 3M") from None


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ConfigError(f"--set {text!r} is not of the form name=value, such as injection=honesty")
    return name, value


def _roles(asked: Asked) -> Roles | None:
    if asked.roles is None:
        if asked.writer == LIBRARY:
            return None
        given: dict[str, object] = {"writer": asked.writer}
    else:
        if asked.writer != LIBRARY:
            raise ConfigError("give --writer or --roles, not both; the file can name the writer")
        try:
            given = dict(load_mapping(asked.roles.read_text(encoding="utf-8"), str(asked.roles)))
        except OSError as error:
            raise ConfigError(f"cannot read {asked.roles}: {error.strerror}; give a YAML file of roles") from None
    return read_roles(given, str(asked.roles or "--writer"))


def read_roles(given: dict[str, object], where: str) -> Roles:
    """Roles from what was written. Raises ConfigError in one line."""
    try:
        return Roles.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "string_pattern_mismatch":
            raise ConfigError(
                f"{where}: {first['input']!r} is no model; write provider/model as Inspect does, or 'library'"
            ) from None
        if first["type"] == "missing":
            raise ConfigError(f"{where}: no writer is named; write writer: provider/model") from None
        raise ConfigError(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def _say(asked: Asked, built: Built, ledger: Ledger, console: Console) -> None:
    console.print(f"{len(built.rows)} rows, {built.tokens} tokens in {escape(str(asked.out))}")
    if ledger.calls:
        money = f", ${ledger.cost:.2f}" if ledger.cost else ""
        console.print(f"{ledger.calls} calls: {ledger.reads} tokens read, {ledger.writes} written{money}")
    table = Table(box=None, show_header=False)
    for reason, times in {**built.dropped, **{f"again: {why}": n for why, n in ledger.mishaps.items()}}.items():
        table.add_row(str(times), reason)
    if table.row_count:
        console.print("dropped:")
        console.print(table)
