"""``teachwhy check``: from what was typed to the figures on the console and in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError, ModelError, guess
from teachwhy.core.store import write_atomic
from teachwhy.lab.health.check import check
from teachwhy.lab.health.console import show
from teachwhy.lab.health.preview import preview
from teachwhy.lab.needs import require
from teachwhy.worlds.scenes import FAMILIES


@dataclass(frozen=True)
class Asked:
    """What was typed."""

    path: Path
    json: Path | None
    constitution: str
    held_out: tuple[str, ...]
    """Families that no row may come from; those that builds leave out where it is empty."""
    max_length: int | None
    tokenizer: str
    preview: int
    workers: int | None


def run_check(asked: Asked, console: Console) -> bool:
    """Check rows, show what was found and write it; says whether no hard rule is broken.

    Raises ConfigError or ModelError, in one line, before any row is read where that can be told.
    """
    held_out = _held_out(asked.held_out)
    constitution = load_constitution(asked.constitution)
    if asked.json is not None and asked.json.is_dir():
        raise ConfigError(f"--json {str(asked.json)!r} is a folder; give a file")
    model, hint = _model(asked)
    with console.status(f"checking {escape(str(asked.path))}") as status:

        def told(what: str) -> None:
            status.update(f"checking {escape(str(asked.path))}: {what}")

        health = check(
            asked.path, constitution, held_out, max_length=asked.max_length, workers=asked.workers, told=told
        )
        if model is not None:
            told("showing what is trained on")
            health = health.model_copy(update={"preview": tuple(preview(asked.path, asked.preview, model))})
    show(health, console)
    if hint:
        console.print(hint, highlight=False, markup=False)
    if asked.json is not None:
        write_atomic(asked.json, health.model_dump_json(indent=1) + "\n")
    return health.fit


def _held_out(families: tuple[str, ...]) -> frozenset[str]:
    for family in families:
        if family not in FAMILIES:
            raise ConfigError(f"--held-out: unknown family {family!r}; {guess(family, FAMILIES)}")
    if families:
        return frozenset(families)
    from teachwhy.lab.build_command import HELD_OUT

    return frozenset(HELD_OUT)


def _model(asked: Asked) -> tuple[Path | None, str]:
    """The model whose tokens the preview shows, if it can be shown, and else what to install."""
    if not asked.preview:
        return None, ""
    try:
        require("train")
    except ModelError as error:
        return None, f"what is trained on is not shown: {error}"
    from teachwhy.models.catalogue import resolve

    return resolve(asked.tokenizer), ""
