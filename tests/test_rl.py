"""RL: it learns what is rewarded, tells what it did, keeps loadable checkpoints, and goes on where it stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Message, Record
from teachwhy.models.weights import load_model, load_tokenizer
from teachwhy.training import rl, rollouts
from teachwhy.training.grpo import answer_logits, merged_weights
from teachwhy.training.rl import check_signal, probe, train_rl
from teachwhy.training.rl_recipe import RLRecipe, RLTrained, Signal
from teachwhy.training.tokens import encode_prompt
from tiny import SCHEMAS, scratch_folder, tiny_model

EQUAL = 1e-5
"""By how much weights may differ that are said to be equal."""
RECIPE = RLRecipe(
    rank=4,
    alpha=8,
    learning_rate=6e-3,
    prompts_a_step=3,
    generations=8,
    max_tokens=8,
    steps=4,
    save_every=2,
    precision="fp32",
)


@pytest.fixture(autouse=True)
def by_transformers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model samples in no time; opening the CPU sampler takes seconds each step."""
    if "openvino" not in request.node.name:

        def none(start: Path, scratch: Path | None = None) -> None:
            return None

        monkeypatch.setattr(rl, "fast_sampler", none)


class Asked(Record):
    """A prompt, as any record that has these fields."""

    id: str
    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()


PROMPTS = [
    Asked(id=f"p{at}", messages=(Message(role="user", content=f"Number {at}?"),), tools=SCHEMAS[: at % 2])
    for at in range(6)
]


async def be_brief(ids: Sequence[str], said: Sequence[str], ended: Sequence[bool]) -> list[float | None]:
    """What is short is good; what was cut off is void."""
    assert set(ids) <= {prompt.id for prompt in PROMPTS}
    return [float(len(text) < 12) if whole else None for text, whole in zip(said, ended, strict=True)]


def but(**changes: Any) -> RLRecipe:
    return RLRecipe.model_validate({**RECIPE.model_dump(), **changes})


@cache
def arm() -> tuple[Path, RLTrained]:
    """One LoRA run that several tests look at."""
    out = scratch_folder() / "rl"
    return out, train_rl(PROMPTS, be_brief, tiny_model(), out, RECIPE, seed=0)


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def weights(out: Path, step: int) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(out / "steps" / str(step) / "model" / "model.safetensors")


def furthest(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def test_what_is_rewarded_is_learned():
    _, trained = arm()
    assert trained.sampler == "transformers"
    lines = metrics(arm()[0])
    assert lines[-1]["reward"] > lines[0]["reward"] + 0.2
    assert lines[-1]["length"] < lines[0]["length"]


def test_every_step_is_told_in_full():
    out, trained = arm()
    lines = metrics(out)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    named = {"reward", "reward_std", "kl", "entropy", "length", "void", "mixed", "loss", "learning_rate"}
    assert all(named <= line.keys() and all(math.isfinite(line[name]) for name in named) for line in lines)
    assert lines[0]["kl"] == pytest.approx(0.0, abs=1e-6), "before the first step the policy is the start"
    assert all(line["kl"] > 1e-6 for line in lines[1:])
    assert lines[-1]["kl"] > lines[0]["kl"]
    assert 0 < lines[0]["mixed"] <= 1
    assert RLTrained.model_validate_json((out / "rl.json").read_text()) == trained
    assert (trained.steps, trained.prompts, trained.samples, trained.saved) == (4, 6, 96, (2, 4))
    assert not (out / "trainer").exists()


def test_checkpoints_load_like_any_other():
    out, _ = arm()
    assert sorted(path.name for path in (out / "steps").iterdir()) == ["2", "4"]
    start = safetensors.torch.load_file(tiny_model() / "model.safetensors")
    apart = [furthest(weights(out, step), start) for step in (2, 4)]
    assert 0 < apart[0] < apart[1]
    loaded: Any = load_model(out / "steps" / "4" / "model")
    load_tokenizer(out / "steps" / "4" / "model")
    assert furthest(merged_weights(loaded), weights(out, 4)) < EQUAL


class StopError(Exception):
    """What interrupts a run."""


def stop_at(step: int) -> Callable[[int, int], None]:
    def progress(done: int, of: int) -> None:
        if done == step:
            raise StopError

    return progress


def test_an_interrupted_run_ends_as_an_undisturbed_one(tmp_path: Path):
    with pytest.raises(StopError):
        train_rl(PROMPTS, be_brief, tiny_model(), tmp_path / "out", RECIPE, seed=0, progress=stop_at(3))
    half = tmp_path / "out" / "trainer" / "checkpoint-4"
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half a file")
    told: list[tuple[int, int]] = []

    def tell(step: int, of: int) -> None:
        told.append((step, of))

    trained = train_rl(PROMPTS, be_brief, tiny_model(), tmp_path / "out", RECIPE, seed=0, progress=tell)
    assert told == [(3, 4), (4, 4)], "it began anew"
    assert furthest(weights(tmp_path / "out", 4), weights(arm()[0], 4)) < EQUAL
    whole, broken = metrics(arm()[0]), metrics(tmp_path / "out")
    assert [line["reward"] for line in broken] == [line["reward"] for line in whole]
    assert [line["kl"] for line in broken] == pytest.approx([line["kl"] for line in whole], abs=1e-4)
    assert trained.last_reward == arm()[1].last_reward


def test_openvino_samples_with_the_probabilities_of_the_trainer(tmp_path: Path):
    trained = train_rl(PROMPTS, be_brief, tiny_model(), tmp_path / "out", but(steps=2, save_every=1), seed=0)
    lines = metrics(tmp_path / "out")
    assert trained.sampler == "openvino"
    assert max(line["sampler_gap"] for line in lines) < 0.02
    assert lines[1]["kl"] > 1e-6
    assert not (tmp_path / "out" / "sampler").exists()


def test_full_training_with_the_kl_in_the_loss(tmp_path: Path):
    recipe = but(method="full", learning_rate=1e-3, steps=2, beta=0.1, prompts_a_step=2)
    train_rl(PROMPTS, be_brief, tiny_model(), tmp_path / "out", recipe, seed=0)
    first, second = metrics(tmp_path / "out")
    assert first["kl"] == pytest.approx(0.0, abs=1e-6)
    assert second["kl"] > 1e-6
    start = safetensors.torch.load_file(tiny_model() / "model.safetensors")
    assert furthest(weights(tmp_path / "out", 2), start) > EQUAL


def test_full_training_tells_the_kl_although_it_weighs_nothing(tmp_path: Path):
    recipe = but(method="full", learning_rate=1e-3, steps=2, prompts_a_step=2)
    train_rl(PROMPTS, be_brief, tiny_model(), tmp_path / "out", recipe, seed=0)
    first, second = metrics(tmp_path / "out")
    assert first["kl"] == pytest.approx(0.0, abs=1e-6)
    assert second["kl"] > 1e-6


def test_a_round_that_is_all_void_moves_nothing(tmp_path: Path):
    async def nothing(ids: Sequence[str], said: Sequence[str], ended: Sequence[bool]) -> list[float | None]:
        return [None] * len(ids)

    recipe = but(steps=1, prompts_a_step=1)
    trained = train_rl(PROMPTS, nothing, tiny_model(), tmp_path / "out", recipe, seed=0)
    assert (trained.void, trained.first_reward) == (1.0, None)
    assert metrics(tmp_path / "out")[0]["reward"] is None
    start = safetensors.torch.load_file(tiny_model() / "model.safetensors")
    assert furthest(weights(tmp_path / "out", 1), start) == 0.0


def test_a_start_is_probed_before_anything_is_spent():
    signal = probe(PROMPTS, be_brief, tiny_model(), RECIPE, seed=0)
    assert signal.n == len(PROMPTS)
    assert signal.mixed > 0.1
    assert signal.mean is not None
    check_signal(signal, RECIPE)

    async def always(ids: Sequence[str], said: Sequence[str], ended: Sequence[bool]) -> list[float | None]:
        return [1.0] * len(ids)

    flat = probe(PROMPTS, always, tiny_model(), RECIPE, seed=0)
    assert (flat.mixed, flat.mean) == (0.0, 1.0)
    said = refusal(ConfigError, lambda: check_signal(flat, RECIPE))
    assert "the answers differ in reward on 0% of 6 prompts (mean reward 1.00, 0% void)" in said
    void = Signal(mixed=0.0, mean=None, void=1.0, n=6)
    assert "all answers are void" in refusal(ConfigError, lambda: check_signal(void, RECIPE))


def test_without_prompts_nothing_begins(tmp_path: Path):
    for work in (
        lambda: probe([], be_brief, tiny_model(), RECIPE, 0),
        lambda: train_rl([], be_brief, tiny_model(), tmp_path / "out", RECIPE, 0),
    ):
        assert "no prompts to train on" in refusal(ConfigError, work)
    assert not (tmp_path / "out").exists()


def test_a_prompt_shows_its_tools_and_ends_where_the_answer_begins():
    tokenizer: Any = load_tokenizer(tiny_model())
    text = tokenizer.decode(encode_prompt(PROMPTS[1].messages, PROMPTS[1].tools, tokenizer))
    assert "set_door(" in text
    assert text.endswith("Number 1?<|im_end|>\n<|im_start|>assistant\n")
    assert "set_door" not in tokenizer.decode(encode_prompt(PROMPTS[0].messages, (), tokenizer))


def test_answers_that_share_a_prompt_get_the_logits_and_gradients_they_would_get_alone():
    ids = torch.tensor([[2, 2, 30, 31, 40, 41, 42], [20, 21, 22, 23, 50, 51, 2], [2, 2, 30, 31, 60, 61, 62]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1] * 7, [0, 0, 1, 1, 1, 1, 1]])
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for shared in (True, False):
        model: Any = load_model(tiny_model())
        if shared:
            logits = answer_logits(model, ids, mask, 3)
        else:
            logits = model(input_ids=ids, attention_mask=mask, logits_to_keep=4, use_cache=False).logits[:, :-1]
        logits.log_softmax(-1).gather(-1, ids[:, -3:].unsqueeze(-1)).sum().backward()
        found.append((logits.detach(), model.model.layers[0].mlp.up_proj.weight.grad))
    (ours, pulled), (theirs, wanted) = found
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(pulled, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


def test_mixed_counts_prompts_whose_judged_answers_differ():
    assert rollouts.mixed_share([1.0, 0.0, 1.0, None, None, None], 2) == pytest.approx(1 / 3)


@pytest.mark.parametrize("changes", [{"generations": 1}, {"steps": 0}, {"temperature": 0}, {"least_mixed": 2}])
def test_a_recipe_that_cannot_be_carried_out_is_refused(changes: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(changes))):
        but(**changes)


def test_answers_held_at_once_divide_those_of_a_step():
    assert but(prompts_a_step=3, generations=5, micro_batch=4).held_at_once() == 3
    assert but(prompts_a_step=8, generations=8, micro_batch=16).held_at_once() == 16
    assert but(prompts_a_step=2, generations=4).held_at_once() == 8
