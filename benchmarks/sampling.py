"""How fast our CPU sampler is beside transformers, in one run: tokens a second, and the ratio.

python benchmarks/sampling.py [--prompts 32] [--tokens 60]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from teachwhy.models.catalogue import SMOLLM2, bundled_gguf, resolve
from teachwhy.models.gguf import write_gguf
from teachwhy.models.sampler import Request, Sampler
from teachwhy.models.weights import load_model, load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=60)
    args = parser.parse_args()
    folder = resolve(SMOLLM2)
    tokenizer: Any = load_tokenizer(folder)
    texts = [f"Case {number}. " + "The crane waits at the quay for its load. " * 30 for number in range(args.prompts)]
    prompts = [tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    ours = _sampler(folder, prompts, args.tokens)
    theirs = _transformers(folder, prompts, args.tokens)
    print(f"{len(prompts)} prompts of about {len(prompts[0])} tokens, {args.tokens} new tokens each, fp32")
    print(f"OpenVINO GenAI {ours:.0f} tokens/s, transformers {theirs:.0f} tokens/s, ratio {ours / theirs:.1f}")


def _sampler(folder: Path, prompts: list[tuple[int, ...]], tokens: int) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        gguf = Path(scratch) / "model.gguf"
        write_gguf(folder, bundled_gguf(), gguf)
        sampler = Sampler(gguf)
        begun = time.perf_counter()
        sampled = sampler.sample([Request(prompt, tokens, 1.0, seed) for seed, prompt in enumerate(prompts)])
        took = time.perf_counter() - begun
        sampler.close()
    return sum(len(one.tokens) for one in sampled) / took


def _transformers(folder: Path, prompts: list[tuple[int, ...]], tokens: int) -> float:
    model: Any = load_model(folder).eval()
    longest = max(map(len, prompts))
    padded = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    begun = time.perf_counter()
    out = model.generate(padded, attention_mask=mask, max_new_tokens=tokens, do_sample=True, pad_token_id=0)
    return (out.shape[1] - longest) * len(prompts) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
