"""Fast sampling on a CPU: one OpenVINO GenAI pipeline with continuous batching and a prefix cache.

A run that was killed and resumed must give the same samples. So everything is fp32 (bf16 is 1.8 times faster, and a
sample then depends on its neighbours in the batch), every request has its own seed, and requests run in waves, sorted,
each wave to its end: what is left of rounding then meets the same batches.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import openvino_genai as genai

from teachwhy.core.errors import ModelError

QUIET = 0.3
"""Seconds without a new request after which those that have come are run."""


@dataclass(frozen=True)
class Request:
    """What to sample from one prompt."""

    prompt: tuple[int, ...]
    """Token ids."""
    max_tokens: int
    temperature: float
    """0 for greedy."""
    seed: int
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    """EBNF that the text must follow."""


@dataclass(frozen=True)
class Sampled:
    """What was sampled: token ids with the log probability of each, and whether it ended by itself."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finished: bool
    """False when ``max_tokens`` cut it off."""


@dataclass
class _Job:
    request: Request
    future: Future[Sampled] = field(default_factory=Future[Sampled])


class Sampler:
    """A GGUF model being sampled from; requests may come from any thread and share batches."""

    def __init__(self, gguf: Path, cache_gb: int = 2, batch: int = 64) -> None:
        config = genai.SchedulerConfig()
        config.cache_size = cache_gb
        config.max_num_seqs = batch
        config.max_num_batched_tokens = 2048
        config.enable_prefix_caching = True
        precision = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        self._open = partial(genai.ContinuousBatchingPipeline, str(gguf), config, "CPU", precision)
        self._pipeline = self._open()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="sampler", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Sampled]:
        """Queue a request; the future holds a ModelError if the pipeline fails."""
        job = _Job(request)
        self._jobs.put(job)
        return job.future

    def sample(self, requests: Sequence[Request]) -> list[Sampled]:
        """Sample all and wait."""
        return [future.result() for future in [self.submit(request) for request in requests]]

    def close(self) -> None:
        """Finish what is queued and stop."""
        self._jobs.put(None)
        self._thread.join()

    def _serve(self) -> None:
        closing = False
        while not closing:
            wave, closing = self._next_wave()
            self._run(wave)

    def _next_wave(self) -> tuple[list[_Job], bool]:
        """Wait for requests until none has come for a moment; in an order that does not depend on who came first."""
        wave = [self._jobs.get()]
        while wave[-1] is not None:
            try:
                wave.append(self._jobs.get(timeout=QUIET))
            except queue.Empty:
                break
        jobs = [job for job in wave if job is not None and job.future.set_running_or_notify_cancel()]
        return sorted(jobs, key=lambda job: (job.request.prompt, job.request.seed)), wave[-1] is None

    def _run(self, wave: Sequence[_Job]) -> None:
        """Run one wave to its end; only then is anybody told, so that those who ask again come as one wave too."""
        running: list[tuple[_Job, Any]] = []
        for number, job in enumerate(wave):
            try:
                request = self._pipeline.add_request(number, _tensor(job.request.prompt), _config(job.request))
                running.append((job, request))
            except Exception as error:
                job.future.set_exception(ModelError(f"the sampler refused a request: {error}"))
        try:
            while self._pipeline.has_non_finished_requests():
                self._pipeline.step()
        except Exception as error:
            for job, _ in running:
                job.future.set_exception(ModelError(f"the sampler failed: {error}"))
            self._pipeline = self._open()  # the old one keeps what it failed on, and would fail on it for ever
            return
        for job, handle in running:
            _settle(job, handle)


def _settle(job: _Job, handle: Any) -> None:
    status = handle.get_status()
    if status != genai.GenerationStatus.FINISHED:
        job.future.set_exception(ModelError(f"the sampler gave up on a request: {status.name}"))
        return
    output = handle.read_all()[0]
    finished = output.finish_reason == genai.GenerationFinishReason.STOP
    job.future.set_result(Sampled(tuple(output.generated_ids), tuple(output.generated_log_probs), finished))


def _tensor(tokens: Sequence[int]) -> openvino.Tensor:
    return openvino.Tensor(np.array([tokens], dtype=np.int64))


def _config(request: Request) -> genai.GenerationConfig:
    config = genai.GenerationConfig()
    config.apply_chat_template = False
    config.max_new_tokens = request.max_tokens
    config.logprobs = 1
    config.rng_seed = request.seed
    config.do_sample = request.temperature > 0
    if config.do_sample:
        config.temperature = request.temperature
        config.top_p = request.top_p
    if request.stop:
        config.stop_strings = set(request.stop)
        config.include_stop_str_in_output = True
    if request.grammar is not None:
        structure = genai.StructuredOutputConfig()
        structure.grammar = request.grammar
        config.structured_output_config = structure
    return config
