"""Answers to prompts, and what they earn: by the CPU sampler where it takes the model, by transformers elsewhere.

The CPU sampler reads weights from a file, so each step writes the new ones first. Even so it is many times cheaper than
transformers' ``generate``: for 8 prompts x 8 answers x 48 tokens of a 135M model, on a busy two-core machine, 14 CPU
seconds (7 of them sampling) against 53 for the first 12 tokens alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

from teachwhy.core.errors import ModelError
from teachwhy.core.records import Message
from teachwhy.models.catalogue import bundled_gguf
from teachwhy.models.gguf import write_gguf

if TYPE_CHECKING:  # OpenVINO is not on every machine
    from teachwhy.models.sampler import Sampled

_AT_ONCE = 64
"""Answers that transformers samples side by side."""

_T = TypeVar("_T")


class Asked(Protocol):
    """A prompt: any record that has these."""

    @property
    def id(self) -> str:
        """What the reward is looked up by."""
        ...

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is asked."""
        ...

    @property
    def tools(self) -> tuple[dict[str, Any], ...]:
        """JSON schemas of what is offered."""
        ...


RewardCall = Callable[[Sequence[str], Sequence[str], Sequence[bool]], Awaitable[list[float | None]]]
"""Prompt ids, answers, and whether each ended by itself, to rewards; None is void."""


class FastSampler:
    """OpenVINO on weights that change: written, opened and closed again for every round of answers."""

    name = "openvino"

    def __init__(self, start: Path, scratch: Path | None = None) -> None:
        self._start = start
        self._scratch = scratch or Path(tempfile.mkdtemp(prefix="teachwhy-rl-"))
        self._gguf = self._scratch / "model.gguf"
        try:
            write_gguf(start, bundled_gguf(), self._gguf)
        except BaseException:
            self.close()
            raise

    def sample(
        self,
        weights: Mapping[str, torch.Tensor] | None,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        *,
        max_tokens: int,
        temperature: float,
    ) -> list[Sampled]:
        """An answer to each prompt with these weights; with the start's own, before any others were given."""
        from teachwhy.models.sampler import Request, Sampler

        if weights is not None:
            write_gguf(self._written(weights), bundled_gguf(), self._gguf)
        sampler = Sampler(self._gguf, cache_gb=1)
        try:
            return list(
                sampler.sample(
                    [
                        Request(tuple(ids), max_tokens, temperature, seed)
                        for ids, seed in zip(prompts, seeds, strict=True)
                    ]
                )
            )
        finally:
            sampler.close()

    def close(self) -> None:
        """Remove the scratch files."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _written(self, weights: Mapping[str, torch.Tensor]) -> Path:
        """Matrices as fp16, which is what the sampler's file holds anyhow."""
        folder = self._scratch / "weights"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._start / "config.json", folder / "config.json")
        halved = {
            name: (weight.half() if weight.dim() > 1 else weight.float()).contiguous().cpu()
            for name, weight in weights.items()
        }
        save_file(halved, folder / "model.safetensors")
        return folder


def fast_sampler(start: Path, scratch: Path | None = None) -> FastSampler | None:
    """The CPU sampler for this model; None where there is a GPU, no OpenVINO, or a model of another shape.

    ``scratch`` is a folder for its files, gone once it is closed; what a killed run left there does no harm.
    """
    if torch.cuda.is_available() or importlib.util.find_spec("openvino_genai") is None:
        return None
    try:
        return FastSampler(start, scratch)
    except (ModelError, KeyError, OSError):
        return None


@torch.inference_mode()
def sample_slowly(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], seed: int, *, max_tokens: int, temperature: float
) -> list[tuple[int, ...]]:
    """The same by transformers, on whatever device the model is; answers without log probabilities."""
    found: list[tuple[int, ...]] = []
    torch.manual_seed(seed)
    for at in range(0, len(prompts), _AT_ONCE):
        rows = prompts[at : at + _AT_ONCE]
        longest = max(map(len, rows))
        ids = torch.tensor([[tokenizer.pad_token_id] * (longest - len(row)) + list(row) for row in rows])
        seen = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        out = model.generate(
            ids.to(model.device),
            attention_mask=seen.to(model.device),
            max_new_tokens=max_tokens,
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            pad_token_id=tokenizer.pad_token_id,
        )
        found += [_until_end(row, ends_of(model, tokenizer)) for row in out[:, longest:].tolist()]
    return found


def ends_of(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer."""
    given = model.generation_config.eos_token_id
    ends = cast("list[int | None]", [tokenizer.eos_token_id, *(given if isinstance(given, list) else [given])])
    return {token for token in ends if token is not None}


def _until_end(row: Sequence[int], ends: set[int]) -> tuple[int, ...]:
    at = next((at for at, token in enumerate(row) if token in ends), len(row) - 1)
    return tuple(row[: at + 1])


def seed_of(*parts: object) -> int:
    """A seed of its own for each answer, from what names it: a resumed run samples as an undisturbed one."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()
    return int(digest[:8], 16)


def mixed_share(rewards: Sequence[float | None], generations: int) -> float:
    """The share of prompts whose answers, void ones left out, differ in reward."""
    groups = [rewards[at : at + generations] for at in range(0, len(rewards), generations)]
    return sum(len({value for value in group if value is not None}) > 1 for group in groups) / len(groups)


def wait_for(work: Awaitable[_T]) -> _T:
    """Run a reward to its end on one loop that all rewards of a process share: a judge's connections belong to it."""

    async def run() -> _T:
        return await work

    return asyncio.run_coroutine_threadsafe(run(), _loop()).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="rewards", daemon=True).start()
    return loop
