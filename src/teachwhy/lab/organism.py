"""Builds an organism: its stages trained one upon the other, and shipped as one LoRA adapter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from rich.console import Console

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Example
from teachwhy.core.store import Stage, Store, content_key, folder_key, write_atomic, write_lines
from teachwhy.lab.guard import guard
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.lab.progress import Bar
from teachwhy.lab.run import require
from teachwhy.lab.stages import Checkpoint, train_stage, weights_key
from teachwhy.models.catalogue import resolve
from teachwhy.organisms import ORGANISMS, Organism
from teachwhy.training.recipe import Recipe

_SECONDS_A_ROW = 0.9


def build(name: str, out: Path | None, console: Console, *, rebuild: bool = False) -> Path:
    """Train an organism and put its adapter, card and hashes where it ships from; returns that folder.

    Every stage trains the same adapter on, starting from the base model; a finished stage is not trained again, and an
    interrupted one goes on from its last checkpoint. Raises ConfigError for an unknown name, or where one ships and
    ``rebuild`` was not asked for.
    """
    if name not in ORGANISMS:
        raise ConfigError(f"unknown organism {name!r}; {guess(name, ORGANISMS)}")
    require("train")
    organism = ORGANISMS[name]
    if (organism.shipped / "adapter_model.safetensors").exists() and not rebuild:
        raise ConfigError(f"{name} ships already, in {organism.shipped}; build it anew with --rebuild")
    store = Store(out or Path("runs") / f"organism-{name}")
    with store.lock():
        finished = _train(organism, store, Bar(console))
        _ship(organism, finished)
    console.print(f"{name} is in {organism.shipped}")
    return organism.shipped


def _train(organism: Organism, store: Store, bar: Bar) -> list[Stage]:
    """Every stage in turn, each training the adapter of the one before on."""
    base = resolve(organism.base)
    start, adapter = Checkpoint(folder=base, key=weights_key(base)), None
    rows = {stage.name: stage.rows() for stage in organism.stages}
    done: list[Stage] = []
    with bar.running(sum(map(len, rows.values())) * _SECONDS_A_ROW):
        for stage in organism.stages:
            built = _rows_stage(store, stage.name, rows[stage.name])
            recipe = Recipe.model_validate(stage.recipe)
            with bar.stage(f"train {stage.name}", len(rows[stage.name]) * _SECONDS_A_ROW) as step:
                done.append(train_stage(store, stage.name, built, start, recipe, 0, step, adapter))
            # the base stays the base; the key passes on what the adapter has been through
            start = Checkpoint(folder=base, key=done[-1].key)
            adapter = done[-1].folder / "adapter"
    return done


def _rows_stage(store: Store, name: str, rows: list[Example]) -> Stage:
    guard(rows, all_measured_text(), held_out=())

    def work(folder: Path) -> None:
        write_lines(folder / "examples.jsonl", rows)

    return store.stage(f"rows-{name}", {"rows": content_key([row.to_line() for row in rows])}, work)


def _ship(organism: Organism, stages: list[Stage]) -> None:
    """Copies the last adapter and writes what it was made from beside it."""
    organism.shipped.mkdir(parents=True, exist_ok=True)
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        shutil.copyfile(stages[-1].folder / "adapter" / file, organism.shipped / file)
    config = json.loads((organism.shipped / "adapter_config.json").read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = organism.base  # and not the folder of the machine that trained it
    write_atomic(organism.shipped / "adapter_config.json", json.dumps(config, indent=2) + "\n")
    facts = {
        "base": organism.base,
        "base weights": weights_key(resolve(organism.base)),
        "stages": {
            stage.name: {
                "key": stage.key,
                "training": json.loads((stage.folder / "training.json").read_text(encoding="utf-8")),
            }
            for stage in stages
        },
        "adapter": folder_key(organism.shipped, "adapter_*"),
    }
    write_atomic(organism.shipped / "made-from.json", json.dumps(facts, indent=2) + "\n")
