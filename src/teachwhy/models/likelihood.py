"""How likely a model finds written continuations: no sampling, no void."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel


@torch.inference_mode()
def log_likelihoods(
    model: PreTrainedModel, prompt: Sequence[int], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """Log probability, in nats and summed over tokens, of each continuation of one prompt.

    ``prompt`` and ``continuations`` are token ids; the prompt is read once and its keys and values are shared.
    """
    runner: Any = model
    head = runner(input_ids=torch.tensor([list(prompt)]), use_cache=True, logits_to_keep=1)
    first = head.logits[0, -1].float().log_softmax(-1)
    cache = head.past_key_values
    cache.batch_repeat_interleave(len(continuations))
    longest = max(len(ids) for ids in continuations)
    padded = torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in continuations])
    attention = torch.ones(len(continuations), len(prompt) + longest, dtype=torch.long)
    tail = runner(input_ids=padded, past_key_values=cache, attention_mask=attention, use_cache=True)
    logs = tail.logits.float().log_softmax(-1)
    return [
        float(first[ids[0]]) + sum(float(logs[row, at, token]) for at, token in enumerate(ids[1:]))
        for row, ids in enumerate(continuations)
    ]
