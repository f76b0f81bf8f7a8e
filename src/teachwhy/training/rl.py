"""Reinforcement learning by TRL's GRPO: LoRA or full, from a start to checkpoints at fixed steps.

Simpler than RL on agents: an episode is one answer. Tools that a prompt offers are shown, and a call ends the answer.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.grpo_config import GRPOConfig

from teachwhy.core.errors import ConfigError
from teachwhy.core.store import write_atomic
from teachwhy.models.weights import load_model, load_tokenizer, merge_adapter, save_checkpoint
from teachwhy.training.checkpoints import last_whole_checkpoint
from teachwhy.training.grpo import Trainer, number
from teachwhy.training.rl_recipe import RLRecipe, RLTrained, Signal, check_signal
from teachwhy.training.rollouts import (
    Asked,
    FastSampler,
    RewardCall,
    ends_of,
    fast_sampler,
    mixed_share,
    sample_slowly,
    seed_of,
    wait_for,
)
from teachwhy.training.tokens import encode_prompt

LAST_STEPS = 5
"""Steps whose rewards are told as the first and the last."""
PROBED = 32
"""Prompts on which a start is probed."""

Progress = Callable[[int, int], None]
"""Called after every optimiser step with (steps done, steps in all)."""

_LOGGED = {
    "step": "step",
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "entropy": "entropy",
    "length": "completions/mean_length",
    "void": "void",
    "mixed": "mixed",
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "sampler_gap": "sampler_gap",
}
"""What ``metrics.jsonl`` tells, by TRL's name for it."""


def train_rl(
    prompts: Sequence[Asked],
    reward: RewardCall,
    start: Path,
    out: Path,
    recipe: RLRecipe,
    seed: int,
    *,
    progress: Progress | None = None,
) -> RLTrained:
    """Train ``start`` on prompts; writes merged weights to ``out/steps/<n>/model`` every ``save_every`` steps.

    Also writes ``metrics.jsonl``, a line a step, and ``rl.json``. Every prompt is asked once before any is asked again.
    An ``out`` that an interrupted run left behind is gone on from, and ends as an undisturbed run would. Whether there
    is a signal is for the caller to ask first: ``probe``, ``check_signal``. Raises ConfigError without prompts.
    """
    if not prompts:
        raise ConfigError("there are no prompts to train on; give some")
    out.mkdir(parents=True, exist_ok=True)
    tokenizer: Any = load_tokenizer(start)
    ids = [encode_prompt(prompt.messages, prompt.tools, tokenizer) for prompt in prompts]
    sampler = fast_sampler(start, out / "sampler")
    try:
        torch.manual_seed(seed)
        trainer = _trainer(ids, _Scored(prompts, reward, recipe), tokenizer, start, out, recipe, seed, sampler)
        trainer.add_callback(_Keep(trainer, start, out, recipe, progress))
        trainer.train(resume_from_checkpoint=last_whole_checkpoint(out / "trainer"))
    finally:
        if sampler is not None:
            sampler.close()
    name = sampler.name if sampler is not None else "vllm" if trainer.use_vllm else "transformers"
    trained = _summary(_metrics(trainer.state.log_history), len(prompts), recipe, name)
    write_atomic(out / "rl.json", trained.model_dump_json(indent=2) + "\n")
    shutil.rmtree(out / "trainer", ignore_errors=True)
    return trained


def probe(prompts: Sequence[Asked], reward: RewardCall, start: Path, recipe: RLRecipe, seed: int) -> Signal:
    """What the start earns on ``PROBED`` of the prompts, at most: whether there is anything to learn from."""
    tried = random.Random(f"probe/{seed}").sample(list(prompts), min(PROBED, len(prompts)))
    if not tried:
        raise ConfigError("there are no prompts to train on; give some")
    scored = sample_rewards(tried, reward, start, recipe, seed)
    judged = [value for value in scored if value is not None]
    return Signal(
        mixed=mixed_share(scored, recipe.generations),
        mean=sum(judged) / len(judged) if judged else None,
        void=1 - len(judged) / len(scored),
        n=len(tried),
    )


def sample_rewards(
    prompts: Sequence[Asked], reward: RewardCall, model: Path, recipe: RLRecipe, seed: int
) -> list[float | None]:
    """Sample ``generations`` answers a prompt from a checkpoint; their rewards, prompt by prompt; None is void."""
    tokenizer: Any = load_tokenizer(model)
    asked = [prompt for prompt in prompts for _ in range(recipe.generations)]
    coded = {id(prompt): encode_prompt(prompt.messages, prompt.tools, tokenizer) for prompt in prompts}
    ids = [coded[id(prompt)] for prompt in asked]
    room: dict[str, Any] = {"max_tokens": recipe.max_tokens, "temperature": recipe.temperature}
    sampler = fast_sampler(model)
    if sampler is not None:
        seeds = [seed_of("probe", seed, at) for at in range(len(ids))]
        try:
            tokens = [answer.tokens for answer in sampler.sample(None, ids, seeds, **room)]
        finally:
            sampler.close()
        ends = {int(tokenizer.eos_token_id)}
    else:
        loaded: Any = cast("Any", load_model(model)).to("cuda" if torch.cuda.is_available() else "cpu").eval()
        tokens = sample_slowly(loaded, tokenizer, ids, seed, **room)
        ends = ends_of(loaded, tokenizer)
    texts = tokenizer.batch_decode([list(one) for one in tokens], skip_special_tokens=True)
    ended = [bool(one) and one[-1] in ends for one in tokens]
    return wait_for(reward([prompt.id for prompt in asked], texts, ended))


class _Scored:
    """The reward as TRL calls it; also tells which share was void and which share of the prompts was mixed."""

    __name__ = "reward"

    def __init__(self, prompts: Sequence[Asked], reward: RewardCall, recipe: RLRecipe) -> None:
        self._prompts, self._reward, self._generations = prompts, reward, recipe.generations
        self.ends: set[int] = set()

    def __call__(
        self,
        prompts: Sequence[str],
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float | None]:
        asked = [self._prompts[int(prompt)].id for prompt in prompts]
        ended = [bool(ids) and ids[-1] in self.ends for ids in completion_ids]
        found = wait_for(self._reward(asked, list(completions), ended))
        log_metric("void", sum(value is None for value in found) / len(found))
        log_metric("mixed", mixed_share(found, self._generations))
        return found


class _Keep(TrainerCallback):
    """Keeps weights at fixed steps, before the trainer's own checkpoint; writes the metrics; tells the progress bar."""

    def __init__(self, trainer: Trainer, start: Path, out: Path, recipe: RLRecipe, progress: Progress | None) -> None:
        self._trainer, self._start, self._out, self._recipe, self._progress = trainer, start, out, recipe, progress

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After every optimiser step; a run that is killed while it saves goes on from the checkpoint before."""
        if state.global_step in self._recipe.saved_steps():
            _save(self._trainer, self._start, self._out / "steps" / str(state.global_step) / "model")
        if self._progress is not None:
            self._progress(state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """All lines anew: a resumed run knows those from before."""
        lines = [json.dumps(line) for line in _metrics(state.log_history)]
        write_atomic(self._out / "metrics.jsonl", "".join(f"{line}\n" for line in lines))


def _save(trainer: Trainer, start: Path, out: Path) -> None:
    model = trainer.policy()
    if not hasattr(model, "peft_config"):
        save_checkpoint(model, load_tokenizer(start), out)
        return
    with tempfile.TemporaryDirectory() as adapter:
        model.save_pretrained(adapter)
        merge_adapter(start, Path(adapter), out)


def _trainer(
    ids: Sequence[Sequence[int]],
    scored: _Scored,
    tokenizer: Any,
    start: Path,
    out: Path,
    recipe: RLRecipe,
    seed: int,
    sampler: FastSampler | None,
) -> Trainer:
    logging.getLogger("trl.trainer.grpo_trainer").setLevel(logging.ERROR)  # a void answer is no cause for a page of log
    lora = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = load_model(start)
    scored.ends = ends_of(model, tokenizer)
    trainer = Trainer(
        model=model,
        reward_funcs=scored,
        args=_config(out, recipe, seed),
        train_dataset=Dataset.from_list([{"prompt": str(at)} for at in _order(len(ids), recipe, seed)]),
        processing_class=tokenizer,
        peft_config=lora if recipe.method == "lora" else None,
        prompt_ids=ids,
        sampler=sampler,
        load_reference=lambda: load_model(start),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _config(out: Path, recipe: RLRecipe, seed: int) -> GRPOConfig:
    gpu = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(out / "trainer"),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.held_at_once(),
        gradient_accumulation_steps=recipe.prompts_a_step * recipe.generations // recipe.held_at_once(),
        num_generations=recipe.generations,
        max_completion_length=recipe.max_tokens,
        temperature=recipe.temperature,
        beta=recipe.beta,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant",
        use_vllm=gpu and _has_vllm(),
        vllm_mode="colocate",
        bf16=recipe.precision == "bf16",
        use_cpu=not gpu,
        gradient_checkpointing=gpu,
        shuffle_dataset=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=1,
        report_to="none",
        seed=seed,
        data_seed=seed,
    )


def _has_vllm() -> bool:
    try:
        import vllm  # pyright: ignore[reportMissingImports, reportUnusedImport]  # noqa: F401
    except ImportError:
        return False
    return True


def _order(prompts: int, recipe: RLRecipe, seed: int) -> list[int]:
    """Which prompt comes when: shuffled rounds through all, as many as the steps take."""
    chance = random.Random(f"rl/{seed}")
    order: list[int] = []
    while len(order) < recipe.steps * recipe.prompts_a_step:
        order += chance.sample(range(prompts), prompts)
    return order[: recipe.steps * recipe.prompts_a_step]


def _metrics(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line a step, of those that tell a loss; None where there is nothing to tell, such as a reward of void alone."""
    return [
        {name: entry[key] if name == "step" else number(entry.get(key)) for name, key in _LOGGED.items()}
        for entry in history
        if "loss" in entry
    ]


def _summary(metrics: Sequence[Mapping[str, Any]], prompts: int, recipe: RLRecipe, sampler: str) -> RLTrained:
    def mean(name: str, lines: Sequence[Mapping[str, Any]]) -> float | None:
        values = [line[name] for line in lines if line[name] is not None]
        return sum(values) / len(values) if values else None

    return RLTrained(
        steps=recipe.steps,
        prompts=prompts,
        samples=recipe.steps * recipe.prompts_a_step * recipe.generations,
        sampler=sampler,
        first_reward=mean("reward", metrics[:LAST_STEPS]),
        last_reward=mean("reward", metrics[-LAST_STEPS:]),
        void=mean("void", metrics) or 0.0,
        kl=mean("kl", metrics[-LAST_STEPS:]) or 0.0,
        saved=tuple(recipe.saved_steps()),
    )


__all__ = ["Progress", "RLTrained", "Signal", "check_signal", "probe", "sample_rewards", "train_rl"]
