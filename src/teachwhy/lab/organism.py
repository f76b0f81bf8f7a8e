"""Organisms as things to build and to open: stages trained one upon the other, each shipped as a LoRA adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.core.store import Stage, Store, content_key, folder_key, read_lines, write_atomic, write_lines
from teachwhy.lab.evaluate import make_folder
from teachwhy.lab.guard import guard
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.lab.needs import require
from teachwhy.lab.progress import Bar
from teachwhy.lab.stages import WEIGHTS, Checkpoint, organism_stage, train_stage, weights_key
from teachwhy.models.catalogue import resolve
from teachwhy.organisms import Organism, find_organism, find_stage
from teachwhy.training.recipe import Recipe

_SECONDS_A_ROW = 0.9
_CONFIG = "adapter_config.json"


def open_stage(name: str, store: Store) -> Checkpoint:
    """A stage of an organism as weights on disk, merged once in a store: ``coverage_gap:prior``, or ``coverage_gap``.

    An organism's own name stands for its last stage. Raises ConfigError for a name that there is not, ModelError for a
    stage that is not built.
    """
    organism, stage = find_stage(name)
    return organism_stage(store, f"{organism.name}-{stage.name}", name)


def write_rows(name: str, out: Path) -> Path:
    """Write the rows that a stage was trained on, as ``rows.jsonl`` in ``out``; returns the file. Raises ConfigError.

    One JSON line a row, with ``messages`` and ``tools`` beside the rest: what ``check`` and ``diagnose`` read.
    """
    _, stage = find_stage(name)
    file = out / "rows.jsonl"
    if file.exists():
        raise ConfigError(f"{file} is there already; give another --out, or remove it")
    make_folder(out)
    write_lines(file, stage.rows())
    return file


def build(name: str, out: Path | None, console: Console, *, rebuild: bool = False) -> Path:
    """Train an organism and put its adapters and hashes where they ship from; returns that folder.

    Every stage trains the same adapter on, starting from the base model; a finished stage is not trained again, and an
    interrupted one goes on from its last checkpoint. Raises ConfigError for an unknown name, or where one ships and
    ``rebuild`` was not asked for.
    """
    organism = find_organism(name)
    require("train")
    if organism.made_from.exists() and not rebuild:
        raise ConfigError(f"{name} ships already, in {organism.adapters}; build it anew with --rebuild")
    store = Store(out or Path("runs") / f"organism-{name}")
    with store.lock():
        finished = _train(organism, store, Bar(console))
        _ship(organism, finished)
    console.print(f"{name} is in {organism.adapters}")
    return organism.adapters


def _train(organism: Organism, store: Store, bar: Bar) -> list[tuple[Stage, Stage]]:
    """Every stage's rows and training in turn, each training the adapter of the one before on."""
    base = resolve(organism.base)
    start, adapter = Checkpoint(folder=base, key=weights_key(base)), None
    rows = {stage.name: stage.rows() for stage in organism.stages}
    done: list[tuple[Stage, Stage]] = []
    with bar.running(sum(map(len, rows.values())) * _SECONDS_A_ROW):
        for stage in organism.stages:
            built = _rows_stage(store, stage.name, rows[stage.name])
            recipe = Recipe.model_validate(stage.recipe)
            with bar.stage(f"train {stage.name}", len(rows[stage.name]) * _SECONDS_A_ROW) as step:
                trained = train_stage(store, stage.name, built, start, recipe, 0, step, adapter)
            done.append((built, trained))
            # the base stays the base; the key passes on what the adapter has been through
            start = Checkpoint(folder=base, key=trained.key)
            adapter = trained.folder / "adapter"
    return done


def rows_key(rows: Sequence[Example]) -> str:
    """What stands for rows in ``made-from.json``."""
    return content_key([row.to_line() for row in rows])


def _rows_stage(store: Store, name: str, rows: list[Example]) -> Stage:
    guard(rows, all_measured_text(), held_out=())

    def work(folder: Path) -> None:
        write_lines(folder / "examples.jsonl", rows)

    return store.stage(f"rows-{name}", {"rows": rows_key(rows)}, work)


def _ship(organism: Organism, finished: list[tuple[Stage, Stage]]) -> None:
    """Copies every stage's adapter and writes what they were made from beside them."""
    facts: dict[str, object] = {}
    for stage, (built, trained) in zip(organism.stages, finished, strict=True):
        stage.adapter.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(trained.folder / "adapter" / WEIGHTS, stage.adapter / WEIGHTS)
        config = json.loads((trained.folder / "adapter" / _CONFIG).read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = organism.base  # and not the folder of the machine that trained it
        config["target_modules"] = sorted(config["target_modules"])  # a set, whose order changes with every run
        write_atomic(stage.adapter / _CONFIG, json.dumps(config, indent=2) + "\n")
        facts[stage.name] = {
            "rows": rows_key(read_lines(built.folder / "examples.jsonl", Example)),
            "key": trained.key,
            "training": json.loads((trained.folder / "training.json").read_text(encoding="utf-8")),
            "adapter": folder_key(stage.adapter),
        }
    made = {"base": organism.base, "base weights": weights_key(resolve(organism.base)), "stages": facts}
    write_atomic(organism.made_from, json.dumps(made, indent=2) + "\n")
