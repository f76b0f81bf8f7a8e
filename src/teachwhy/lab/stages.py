"""The stages of an experiment: start, measure, build, guard, train; each done once, keyed by all it depends on."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachwhy.constitution import Constitution
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Example, Record, Transcript, Verdict
from teachwhy.core.store import Stage, Store, content_key, folder_key, read_lines, write_atomic, write_lines
from teachwhy.evals.evaluation import Plan
from teachwhy.interventions import Built
from teachwhy.lab.experiment import Experiment
from teachwhy.lab.measure import TRANSCRIPTS, VERDICTS, Progress, key_of, measure, open_target
from teachwhy.models.catalogue import resolve
from teachwhy.organisms import Organism, OrganismStage, find_stage
from teachwhy.training.recipe import Recipe

WEIGHTS = "adapter_model.safetensors"
"""The file of an adapter's weights."""


class Checkpoint(Record):
    """Weights on disk, and what stands for all they depend on."""

    folder: Path
    key: str


def check_start(experiment: Experiment) -> None:
    """Refuse a start that cannot be: no such model, an organism on another base, or one that is not built."""
    resolve(experiment.start.model)
    if experiment.start.organism is None:
        return
    organism, stage = find_stage(experiment.start.organism)
    if experiment.start.model != organism.base:
        raise ConfigError(f"{organism.name} is laid on {organism.base!r}, not on {experiment.start.model!r}")
    check_built(organism, stage)


def check_built(organism: Organism, stage: OrganismStage) -> None:
    """Refuse a stage whose adapter does not ship."""
    if not (stage.adapter / WEIGHTS).exists():
        raise ModelError(f"{organism.name} is not built: run `teachwhy organism build {organism.name}` first")


def start_stage(store: Store, experiment: Experiment) -> Checkpoint:
    """The start model; an organism's adapter is merged into its base once."""
    check_start(experiment)
    if experiment.start.organism is not None:
        return organism_stage(store, "start", experiment.start.organism)
    base = resolve(experiment.start.model)
    return Checkpoint(folder=base, key=weights_key(base))


def organism_stage(store: Store, name: str, wanted: str) -> Checkpoint:
    """A stage of an organism as plain weights, ``model/`` in the store's stage ``name``. Raises ConfigError."""
    organism, stage = find_stage(wanted)
    check_built(organism, stage)
    base = resolve(organism.base)

    def work(folder: Path) -> None:
        from teachwhy.models.weights import merge_adapter

        merge_adapter(base, stage.adapter, folder / "model")

    inputs = {"model": organism.base, "base": weights_key(base), "organism": folder_key(stage.adapter)}
    done = store.stage(name, inputs, work)
    return Checkpoint(folder=done.folder / "model", key=done.key)


def weights_key(folder: Path) -> str:
    """What stands for a checkpoint: the content of its settings, tokenizer and weights."""
    return content_key([folder_key(folder, "*.json"), folder_key(folder, "*.safetensors")])


def build_stage(
    store: Store, experiment: Experiment, arm: str, built: Sequence[Built], constitution: Constitution
) -> Stage:
    """Writes an arm's rows: ``examples.jsonl``, ``dropped.json``, ``card.md``.

    What is measured is no input: the guard reads every row anew in each run, before anything else is done, so newer
    measured text refuses rows that leak it and leaves the training of all others as it is.
    """
    rows = [row for part in built for row in part.rows]
    inputs = {
        "rows": content_key([row.to_line() for row in rows]),
        "held_out": sorted(experiment.held_out),
        "constitution": constitution.sha256,
    }

    def work(folder: Path) -> None:
        write_lines(folder / "examples.jsonl", rows)
        dropped = [part.dropped for part in built]
        write_atomic(folder / "dropped.json", json.dumps(dropped, indent=2) + "\n")
        write_atomic(folder / "card.md", _card(arm, built, constitution))

    return store.stage(f"build-{arm}", inputs, work)


def _card(arm: str, built: Sequence[Built], constitution: Constitution) -> str:
    rows = [row for part in built for row in part.rows]
    writers = sorted({row.writer for row in rows})
    lines = [
        f"# Training rows of the arm `{arm}`\n",
        f"Constitution: {constitution.title} (sha256 {constitution.sha256[:12]}). Written by: {', '.join(writers)}. "
        "Guarded against every measured scene (canary, 13 words in a row, held-out families).\n",
        "| intervention | rows | tokens |",
        "|---|---|---|",
    ]
    for name in sorted({row.intervention for row in rows}):
        own = [row for row in rows if row.intervention == name]
        lines.append(f"| {name} | {len(own)} | {sum(row.tokens for row in own)} |")
    if any(row.intervention == "conflict" for row in rows):
        lines.append("\n**Rows of `conflict` contradict the constitution on purpose.**")
    return "\n".join(lines) + "\n"


def train_stage(
    store: Store,
    name: str,
    rows: Stage,
    start: Checkpoint,
    recipe: Recipe,
    seed: int,
    progress: Progress | None = None,
    adapter: Path | None = None,
) -> Stage:
    """Trains an arm with one seed: ``model/`` and what else ``training.sft.train`` writes; goes on where it stopped."""
    inputs = {"rows": rows.key, "start": start.key, "recipe": recipe.model_dump(), "seed": seed}

    def work(folder: Path) -> None:
        from teachwhy.training.sft import train

        examples = read_lines(rows.folder / "examples.jsonl", Example)
        train(examples, start.folder, folder, recipe, seed, progress=progress, adapter=adapter)
        release_memory()

    return store.stage(f"train-{name}", inputs, work, resumable=True)


def measure_stage(
    store: Store,
    name: str,
    checkpoint: Checkpoint,
    evals: Sequence[str],
    plan: Plan,
    progress: Progress | None = None,
    provider: str = "teachwhy",
) -> Stage:
    """Measures a checkpoint: Inspect logs, ``verdicts.jsonl``, ``transcripts.jsonl``."""
    inputs = {"checkpoint": checkpoint.key, "measured": key_of(evals, plan), "provider": provider}
    model = f"{provider}/{checkpoint.folder}"

    def work(folder: Path) -> None:
        measure(open_target(model), evals, plan, folder, progress)
        release_memory()

    return store.stage(f"measure-{name}", inputs, work)


def release_memory() -> None:
    """Give back what a trainer or a sampler held: both hang in reference cycles, and libc keeps freed pages."""
    gc.collect()
    library = ctypes.util.find_library("c")
    if library is not None and hasattr(ctypes.CDLL(library), "malloc_trim"):
        ctypes.CDLL(library).malloc_trim(0)


def read_measured(stage: Stage) -> tuple[tuple[Verdict, ...], tuple[Transcript, ...]]:
    """The verdicts and transcripts of a finished measurement."""
    verdicts = tuple(read_lines(stage.folder / VERDICTS, Verdict))
    return verdicts, tuple(read_lines(stage.folder / TRANSCRIPTS, Transcript))


def read_training(stage: Stage, recipe: Recipe) -> Mapping[str, Any]:
    """What a finished training run reported of itself, as fields of ``Measured``."""
    facts = json.loads((stage.folder / "training.json").read_text(encoding="utf-8"))
    return {
        "rows": facts["rows"],
        "tokens": facts["tokens"],
        "steps": facts["steps"],
        "epochs": recipe.epochs,
        "loss": facts["final_loss"],
    }
