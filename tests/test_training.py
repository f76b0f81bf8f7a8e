"""Training: what the loss is of, what is refused, and that the same run gives the same weights, interrupted or not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import datasets
import pytest
import safetensors.torch
import torch
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Message
from teachwhy.core.store import write_lines
from teachwhy.models.weights import load_model, load_tokenizer, merge_adapter
from teachwhy.training.recipe import Recipe
from teachwhy.training.sft import Trained, train
from teachwhy.training.tokens import IGNORED, encode
from tiny import END, QUICK, call_row, chat_row, masked_loss, rows, scratch_folder, tiny_model

BF16 = 0.05
"""Nats by which a log probability may move when an adapter is kept in bf16."""
EQUAL = 1e-6
"""By how much weights may differ that are said to be equal."""

DOCUMENT = Example(id="doc", intervention="documents", text="Agents answer for what they do.", writer="us", source="x")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(tiny_model())


def but(recipe: Recipe, **changes: Any) -> Recipe:
    return Recipe.model_validate({**recipe.model_dump(), **changes})


@cache
def arm() -> tuple[Path, Trained]:
    """One LoRA run that several tests look at."""
    out = scratch_folder() / "arm"
    return out, train(rows(8), tiny_model(), out, QUICK, seed=0)


def weights(out: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(out / "model" / "model.safetensors")


def furthest(first: Path, second: Path) -> float:
    """The greatest difference between two runs' weights."""
    ours, theirs = weights(first), weights(second)
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def logs(folder: Path, row: Example) -> torch.Tensor:
    model: Any = load_model(folder)
    ids = encode(row, load_tokenizer(folder), 4096)["input_ids"]
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits.log_softmax(-1)


# Rows to tokens


def test_a_chat_trains_on_what_the_assistant_says_alone(tokenizer: Any):
    coded = encode(call_row(0), tokenizer, 4096)
    trained = [token for token in coded["labels"] if token != IGNORED]
    assert len(coded["labels"]) == len(coded["input_ids"])
    assert tokenizer.decode(trained).startswith("I open it.\n<tool_call>")
    assert tokenizer.decode(trained).endswith(f"</tool_call>{END}")
    assert all(label in (IGNORED, token) for label, token in zip(coded["labels"], coded["input_ids"], strict=True))


def test_a_document_trains_on_every_token_and_its_end(tokenizer: Any):
    coded = encode(DOCUMENT, tokenizer, 4096)
    assert coded["labels"] == coded["input_ids"]
    assert tokenizer.decode(coded["input_ids"]) == DOCUMENT.text + tokenizer.eos_token


def test_a_row_that_is_too_long_is_refused_rather_than_cut(tokenizer: Any):
    length = len(encode(call_row(0), tokenizer, 4096)["input_ids"])
    assert f"{length} tokens" in refusal(ConfigError, lambda: encode(call_row(0), tokenizer, length - 1))
    assert len(encode(call_row(0), tokenizer, length)["input_ids"]) == length


def test_a_row_with_nothing_to_train_on_is_refused(tokenizer: Any):
    asked = (Message(role="user", content="Hello?"),)
    row = Example(id="asked", intervention="replay", messages=asked, writer="us", source="x")
    assert "row asked has nothing to train on" in refusal(ConfigError, lambda: encode(row, tokenizer, 4096))


def test_too_few_steps_are_refused_and_nothing_is_written(tmp_path: Path):
    recipe = but(QUICK, least_steps=9)
    said = refusal(ConfigError, lambda: train(rows(8), tiny_model(), tmp_path / "out", recipe, seed=0))
    assert "8 optimiser steps, fewer than least_steps 9" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes", [{"batch": 0}, {"batch": 8, "micro_batch": 3}, {"epochs": 0}, {"rank": 0}])
def test_a_recipe_that_cannot_be_carried_out_is_refused(changes: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(changes))):
        but(QUICK, **changes)


def test_rows_load_in_datasets_and_trl_masks_them_alike(tmp_path: Path, tokenizer: Any):
    examples = [*rows(3), call_row(3).model_copy(update={"tools": call_row(3).tools[:1]})]
    write_lines(tmp_path / "examples.jsonl", examples)
    loaded: Any = datasets.load_dataset(
        "json", data_files=str(tmp_path / "examples.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded["id"] == [example.id for example in examples]

    chats = [
        {"messages": [message.row() for message in example.messages], "tools": list(example.tools)}
        for example in examples
    ]
    config = SFTConfig(
        output_dir=str(tmp_path / "trl"),
        max_length=None,
        assistant_only_loss=True,
        use_cpu=True,
        report_to="none",
        bf16=False,
    )
    trainer = SFTTrainer(
        model=cast("Any", load_model(tiny_model())),
        args=config,
        train_dataset=datasets.Dataset.from_list(chats, on_mixed_types="use_json"),
        processing_class=tokenizer,
    )
    theirs = cast("Any", trainer.train_dataset)
    for example, row in zip(examples, theirs, strict=True):
        ours = encode(example, tokenizer, 4096)
        assert row["input_ids"] == ours["input_ids"]
        assert row["labels"] == ours["labels"]


# Rows to weights


@pytest.mark.parametrize("micro_batch", [1, 5], ids=["added up", "padded"])
def test_the_loss_is_of_what_the_assistant_says(tmp_path: Path, micro_batch: int):
    """At a learning rate of 0 the logged loss is the start model's, reckoned apart; every token weighs the same."""
    examples = [call_row(at) if at % 2 else chat_row(at, "It is late. " * (at + 1)) for at in range(5)]
    recipe = but(QUICK, learning_rate=0.0, batch=5, micro_batch=micro_batch, epochs=5)
    trained = train(examples, tiny_model(), tmp_path / "out", recipe, seed=0)
    assert trained.steps == 5
    assert trained.final_loss == pytest.approx(masked_loss(tiny_model(), examples), abs=1e-3)
    assert furthest_from_start(tmp_path / "out") == pytest.approx(0.0, abs=EQUAL)


def furthest_from_start(out: Path) -> float:
    start = safetensors.torch.load_file(tiny_model() / "model.safetensors")
    return max(float((weight - start[name]).abs().max()) for name, weight in weights(out).items())


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_small_set_is_learned_by_heart(tmp_path: Path, method: str):
    if method == "lora":
        out, trained = arm()
    else:
        out = tmp_path / "out"
        trained = train(rows(8), tiny_model(), out, but(QUICK, method=method, learning_rate=3e-3), seed=0)
        assert not (out / "adapter").exists()
    assert masked_loss(out / "model", rows(8)) < 0.95 * masked_loss(tiny_model(), rows(8))
    assert trained.steps == 8
    assert trained.rows == 8
    assert 0 < trained.trained_tokens < trained.tokens
    assert math.isfinite(trained.final_loss)
    assert Trained.model_validate_json((out / "training.json").read_text()) == trained
    assert not (out / "trainer").exists()


def test_the_mask_dump_shows_what_is_trained_on():
    dump = (arm()[0] / "mask.md").read_text(encoding="utf-8")
    assert "## call-0" in dump
    assert f"⟦It is half past.{END}⟧" in dump
    assert "Let me in.<|im_end|>\n<|im_start|>assistant\n⟦I open it.\n<tool_call>" in dump


def test_an_adapter_is_kept_in_bf16_and_gives_the_merged_model(tmp_path: Path):
    out, _ = arm()
    kept = safetensors.torch.load_file(out / "adapter" / "adapter_model.safetensors")
    assert {weight.dtype for weight in kept.values()} == {torch.bfloat16}
    merge_adapter(tiny_model(), out / "adapter", tmp_path / "merged")
    merged, trained, start = (
        logs(folder, call_row(0)) for folder in (tmp_path / "merged", out / "model", tiny_model())
    )
    likely = trained > math.log(1e-4)
    assert float((merged - trained).abs()[likely].max()) < BF16
    assert float((start - trained).abs()[likely].max()) > 10 * BF16


def test_an_adapter_is_trained_on_from_where_it_stood(tmp_path: Path):
    out, _ = arm()
    still = but(QUICK, learning_rate=0.0, epochs=1)
    train(rows(8), tiny_model(), tmp_path / "still", still, seed=1, adapter=out / "adapter")
    merge_adapter(tiny_model(), out / "adapter", tmp_path / "merged" / "model")
    assert furthest(tmp_path / "still", tmp_path / "merged") < EQUAL
    train(rows(8), tiny_model(), tmp_path / "on", QUICK, seed=1, adapter=out / "adapter")
    assert masked_loss(tmp_path / "on" / "model", rows(8)) < masked_loss(out / "model", rows(8))


def test_the_seed_decides_the_weights(tmp_path: Path):
    out, _ = arm()
    train(rows(8), tiny_model(), tmp_path / "again", QUICK, seed=0)
    train(rows(8), tiny_model(), tmp_path / "other", QUICK, seed=1)
    assert furthest(out, tmp_path / "again") == 0.0
    assert furthest(out, tmp_path / "other") > EQUAL


class StopError(Exception):
    """What interrupts a run."""


def stop_at(step: int) -> Callable[[int, int], None]:
    def progress(done: int, of: int) -> None:
        if done == step:
            raise StopError

    return progress


@pytest.mark.parametrize("step", [3, 6], ids=["in the first epoch", "in the second epoch"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_an_interrupted_run_ends_with_the_weights_of_an_undisturbed_one(tmp_path: Path, method: str, step: int):
    recipe = but(QUICK, method=method, save_every=2, learning_rate=3e-3)
    train(rows(8), tiny_model(), tmp_path / "whole", recipe, seed=0)
    with pytest.raises(StopError):
        train(rows(8), tiny_model(), tmp_path / "broken", recipe, seed=0, progress=stop_at(step))
    told: list[tuple[int, int]] = []

    def tell(step: int, of: int) -> None:
        told.append((step, of))

    train(rows(8), tiny_model(), tmp_path / "broken", recipe, seed=0, progress=tell)
    assert told[0] == (2 * ((step - 1) // 2) + 1, 8), "it began anew"
    assert furthest(tmp_path / "whole", tmp_path / "broken") < EQUAL
    whole, broken = (losses(tmp_path / name) for name in ("whole", "broken"))
    assert len(broken) == 8
    assert broken == pytest.approx(whole)


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_run_killed_while_it_saved_goes_on_from_the_save_before(tmp_path: Path):
    recipe = but(QUICK, save_every=2)
    with pytest.raises(StopError):
        train(rows(8), tiny_model(), tmp_path / "broken", recipe, seed=0, progress=stop_at(3))
    half = tmp_path / "broken" / "trainer" / "checkpoint-4"
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half a file")
    train(rows(8), tiny_model(), tmp_path / "broken", recipe, seed=0)
    assert furthest(arm()[0], tmp_path / "broken") < EQUAL
