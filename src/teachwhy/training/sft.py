"""Supervised fine-tuning by TRL: LoRA or full, chats on what the assistant says, documents on every token.

Simpler than TRL itself: rows arrive tokenised by ``tokens.py`` (so that no arm can meet another template or mask), are
never packed, and are never truncated.
"""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import (
    load_file,  # pyright: ignore[reportUnknownVariableType]
    save_file,  # pyright: ignore[reportUnknownVariableType]
)
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from teachwhy.core.records import Example, Record
from teachwhy.core.store import write_atomic
from teachwhy.models.weights import load_model, load_tokenizer, save_checkpoint
from teachwhy.training.checkpoints import last_whole_checkpoint
from teachwhy.training.recipe import Recipe
from teachwhy.training.tokens import IGNORED, encode, show_mask

LAST_STEPS = 5
"""Steps whose losses are told as the final one."""

Progress = Callable[[int, int], None]
"""Called after every optimiser step with (steps done, steps in all)."""


class Trained(Record):
    """What a training run did."""

    rows: int
    tokens: int
    """Tokens read in one epoch."""
    trained_tokens: int
    """Of these, tokens in the loss."""
    steps: int
    """Optimiser steps."""
    final_loss: float
    """Mean loss in nats a trained token over the last steps, ``LAST_STEPS`` at most."""


def train(
    rows: Sequence[Example],
    start: Path,
    out: Path,
    recipe: Recipe,
    seed: int,
    *,
    progress: Progress | None = None,
    adapter: Path | None = None,
) -> Trained:
    """Train ``start`` on rows; writes ``out/model`` (merged weights) and, for LoRA, ``out/adapter``.

    With ``adapter`` that adapter is trained on instead of a new one. Also writes ``metrics.jsonl`` (a line a logged
    step), ``mask.md`` (some rows with what is trained on marked) and ``training.json``. An ``out`` that an interrupted
    run left behind is gone on from. Raises ConfigError when the rows give fewer optimiser steps than
    ``recipe.least_steps``.
    """
    tokenizer = load_tokenizer(start)
    coded = [encode(row, tokenizer, recipe.max_length) for row in rows]
    recipe.count_steps(len(coded))
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    trainer = _trainer(_model(start, recipe, adapter), coded, start, out, recipe, seed, progress)
    result = trainer.train(resume_from_checkpoint=last_whole_checkpoint(out / "trainer"))
    _write_mask_dump(rows, coded, tokenizer, out / "mask.md")
    _write_metrics(trainer.state.log_history, out / "metrics.jsonl")
    model = cast("Any", trainer.model)
    if recipe.method == "lora":
        _save_adapter(model, out / "adapter")
        model = model.merge_and_unload()
    save_checkpoint(model, tokenizer, out / "model")
    shutil.rmtree(out / "trainer", ignore_errors=True)
    trained = Trained(
        rows=len(coded),
        tokens=sum(len(row["input_ids"]) for row in coded),
        trained_tokens=sum(sum(label >= 0 for label in row["labels"]) for row in coded),
        steps=int(result.global_step),
        final_loss=_last_loss(trainer.state.log_history),
    )
    write_atomic(out / "training.json", trained.model_dump_json(indent=2) + "\n")
    return trained


def _model(start: Path, recipe: Recipe, adapter: Path | None) -> Any:
    model: Any = load_model(start)
    if recipe.method == "full":
        return model
    if adapter is not None:
        return PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    lora = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)


def _save_adapter(model: Any, out: Path) -> None:
    """Write the adapter in bf16: half the size, and the precision it was trained at."""
    model.save_pretrained(str(out))
    file = out / "adapter_model.safetensors"
    halved = {name: weight.to(torch.bfloat16) for name, weight in load_file(file).items()}
    save_file(halved, file, metadata={"format": "pt"})


def _trainer(
    model: Any,
    coded: Sequence[dict[str, list[int]]],
    start: Path,
    out: Path,
    recipe: Recipe,
    seed: int,
    progress: Progress | None,
) -> SFTTrainer:
    shuffled = list(coded)
    random.Random(seed).shuffle(shuffled)
    config = SFTConfig(
        output_dir=str(out / "trainer"),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=min(recipe.micro_batch, recipe.batch),
        gradient_accumulation_steps=max(1, recipe.batch // recipe.micro_batch),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        max_length=None,
        bf16=recipe.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        train_sampling_strategy="group_by_length",
        logging_steps=1,  # a mean over several would forget, on resuming, the steps before the stop
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=1,
        report_to="none",
        seed=seed,
        data_seed=seed,
    )
    kind = SFTTrainer if torch.cuda.is_available() else _LeanTrainer
    trainer = kind(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(shuffled),
        processing_class=load_tokenizer(start),
        callbacks=[_Tell(progress)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


class _LeanTrainer(SFTTrainer):
    """TRL's trainer with logits computed only where a label stands.

    On a CPU the vocabulary is a third of the work, and most of a row is prompt: this doubles the speed.
    """

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        labels = inputs.pop("labels")[:, 1:]
        kept = (labels != IGNORED).any(0).nonzero().flatten()
        outputs = model(**inputs, use_cache=False, logits_to_keep=kept)
        wanted = labels[:, kept]
        total = cross_entropy(
            outputs.logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        loss = total / (num_items_in_batch if num_items_in_batch is not None else (wanted != IGNORED).sum())
        return (loss, outputs) if return_outputs else loss


class _Tell(TrainerCallback):
    """Tells the progress bar."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After every optimiser step."""
        if self._progress is not None:
            self._progress(state.global_step, state.max_steps)


def _last_loss(history: Sequence[Mapping[str, Any]]) -> float:
    losses = [float(entry["loss"]) for entry in history if "loss" in entry][-LAST_STEPS:]
    return sum(losses) / len(losses) if losses else math.nan


def _write_metrics(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    kept = ("step", "epoch", "loss", "grad_norm", "learning_rate")
    lines = [json.dumps({key: entry[key] for key in kept if key in entry}) for entry in history if "loss" in entry]
    write_atomic(path, "\n".join(lines) + "\n")


def _write_mask_dump(
    rows: Sequence[Example], coded: Sequence[dict[str, list[int]]], tokenizer: Any, path: Path
) -> None:
    parts = ["What stands between ⟦ and ⟧ is trained on; the rest is only read.\n"]
    for row, ids in list(zip(rows, coded, strict=True))[:3]:
        parts.append(f"## {row.id}\n\n```\n{show_mask(ids, tokenizer)}\n```\n")
    write_atomic(path, "\n".join(parts))
