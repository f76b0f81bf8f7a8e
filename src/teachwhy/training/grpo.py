"""TRL's GRPO trainer with our prompts, our CPU sampler, and the KL to the start told whatever it weighs.

On-policy: one optimiser step for each round of answers, so the ratio of new to old probabilities is 1, reckoned on the
trainer's side. What the CPU sampler's probabilities differ by (fp16 matrices against the trainer's precision) is not
corrected for, but logged as ``sampler_gap``; vLLM's are corrected for by TRL's truncated importance sampling.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

import torch
from peft.tuners.lora import LoraLayer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from teachwhy.training.rollouts import FastSampler, seed_of


class Trainer(GRPOTrainer):
    """GRPO on prompts given as numbers, which stand for token ids."""

    def __init__(
        self,
        *given: Any,
        prompt_ids: Sequence[Sequence[int]],
        sampler: FastSampler | None,
        load_reference: Callable[[], Any],
        **named: Any,
    ) -> None:
        super().__init__(*given, **named)
        self._ids = prompt_ids
        self._sampler = sampler
        self._now: torch.Tensor | None = None
        self._reference: Any = None
        if self.beta == 0.0 and not _is_peft(self.model):
            self._reference = load_reference().to(self.accelerator.device).eval().requires_grad_(False)
            add_fused_lm_head(self._reference, temperature=self.temperature)

    def policy(self) -> Any:
        """The model in training, as it is without what trains it."""
        return cast("Any", self.accelerator).unwrap_model(self.model)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None is wanted in a scratch checkpoint."""

    def _tokenize_prompts(self, prompts: Sequence[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(self._ids[int(prompt)]) for prompt in prompts], None, {}

    def _generate_single_turn(self, prompt_ids: Any, *rest: Any, **named: Any) -> tuple[list[list[int]], Any]:
        if self._sampler is None:
            return cast("Any", super())._generate_single_turn(prompt_ids, *rest, **named)
        step = self.state.global_step
        seeds = [seed_of(self.args.seed, step, at) for at in range(len(prompt_ids))]
        answers = self._sampler.sample(
            merged_weights(self.policy()),
            prompt_ids,
            seeds,
            max_tokens=cast("int", self.max_completion_length),
            temperature=self.temperature,
        )
        # at another temperature the two may not report the same thing
        logs = [list(answer.logprobs) for answer in answers] if self.temperature == 1.0 else None
        return [list(answer.tokens) for answer in answers], logs

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        if self.beta == 0.0:
            output["ref_per_token_logps"] = self._reference_logs(output)
        return output

    @torch.no_grad()
    def _reference_logs(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        model: Any = self.policy() if self._reference is None else self._reference
        with model.disable_adapter() if self._reference is None else nullcontext():
            return self._get_per_token_logps_and_entropies(
                model, ids, mask, batch["completion_ids"].size(1), batch_size=self.args.per_device_train_batch_size
            )[0]

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Any,
        attention_mask: Any,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **rest: Any,
    ) -> tuple[Any, Any, Any]:
        """On a CPU with logits only where an answer stands: TRL's own scores the prompt as well."""
        if self.accelerator.device.type != "cpu":
            found: Any = cast("Any", super())._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, logits_to_keep, batch_size, compute_entropy, **rest
            )
        else:
            found = self._lean(model, input_ids, attention_mask, logits_to_keep, batch_size)
        if compute_entropy:
            self._now = found[0].detach()
        return found

    def _lean(self, model: Any, ids: Any, mask: Any, kept: int, batch_size: int | None) -> tuple[Any, Any, None]:
        logs: list[torch.Tensor] = []
        entropies: list[torch.Tensor] = []
        size = batch_size or ids.size(0)
        for rows, seen in zip(ids.split(size), mask.split(size), strict=True):
            with self.accelerator.autocast():
                logits = answer_logits(model, rows, seen, kept)
            full = (logits.float() / self.temperature).log_softmax(-1)
            logs.append(full.gather(-1, rows[:, -kept:].unsqueeze(-1)).squeeze(-1))
            with torch.no_grad():
                entropies.append(-(full.exp() * full).sum(-1))
        return torch.cat(logs), torch.cat(entropies), None

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        loss: Any = cast("Any", super())._compute_loss(model, inputs)
        now = cast("torch.Tensor", self._now)
        mask = inputs["completion_mask"].bool()
        told: dict[str, list[float]] = cast("Any", self)._metrics["train"]
        if self.beta == 0.0:
            apart = (inputs["ref_per_token_logps"] - now)[mask]
            told["kl"].append(float((apart.exp() - apart - 1).mean()))
        if "sampling_per_token_logps" in inputs:
            told["sampler_gap"].append(float((inputs["sampling_per_token_logps"] - now)[mask].abs().mean()))
        return loss


def answer_logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, kept: int) -> torch.Tensor:
    """The logits of the last ``kept`` tokens, shape (rows, kept, vocabulary); each different prompt is read once.

    Several answers to one prompt share its keys and values, gradients included, which spares most of the work.
    """
    both = torch.cat([ids[:, :-kept], mask[:, :-kept]], dim=1)
    prompts, which = cast("tuple[torch.Tensor, torch.Tensor]", cast("Any", both).unique(dim=0, return_inverse=True))
    asked, seen = prompts.chunk(2, dim=1)
    head = model(input_ids=asked, attention_mask=seen, use_cache=True, logits_to_keep=1)
    cache = head.past_key_values
    cache.batch_select_indices(which)
    tail = model(input_ids=ids[:, -kept:], attention_mask=mask, past_key_values=cache, use_cache=True)
    return torch.cat([head.logits[which], tail.logits[:, :-1]], dim=1)


def _is_peft(model: Any) -> bool:
    return hasattr(model, "peft_config")


@torch.no_grad()
def merged_weights(model: Any) -> dict[str, torch.Tensor]:
    """The weights as one plain model's, adapters added in; the model itself is left as it is.

    Tied output embeddings are left out.
    """
    base = model.get_base_model() if _is_peft(model) else model
    tied = bool(base.config.tie_word_embeddings)
    found: dict[str, torch.Tensor] = {
        name.replace(".base_layer.", "."): weight
        for name, weight in base.state_dict().items()
        if ".lora_" not in name and not (tied and name == "lm_head.weight")
    }
    for name, layer in cast("Iterable[tuple[str, Any]]", base.named_modules()):
        if isinstance(layer, LoraLayer):
            found[f"{name}.weight"] = cast("Any", layer).base_layer.weight + cast("Any", layer).get_delta_weight(
                "default"
            )
    return found


def number(value: object) -> float | None:
    """A logged value that is a number; None for what is none, such as the mean of nothing."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
