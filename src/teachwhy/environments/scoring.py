"""What the environments' scorers share: when an answer is void, and which part of the samples is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inspect_ai.dataset import Sample
from inspect_ai.solver import TaskState

from teachwhy.core.errors import ConfigError, guess

BOTH = "both"
_SPLITS = ("train", "held_out", BOTH)
_FEW_WORDS = 12
"""Fewer than these repeat themselves by chance."""
_LEAST_NEW = 0.5
"""Share of runs of three words that must be new in what is no babble."""
_LEAST_LETTERS = 0.5
"""Share of what is no space that must be letters, in an answer in words."""


def chosen(samples: Sequence[Sample], split: str) -> list[Sample]:
    """The samples of a part; ConfigError for a part that there is not."""
    if split not in _SPLITS:
        raise ConfigError(f"unknown split {split!r}; {guess(split, _SPLITS)}")
    return [sample for sample in samples if split in (BOTH, (sample.metadata or {})["split"])]


def void_reason(state: TaskState) -> str:
    """Why there is no answer: ``cut_off``, or ``no_response`` where nothing was said or called; empty if there is."""
    if state.output.stop_reason in ("max_tokens", "model_length"):
        return "cut_off"
    said = state.output.message if state.output.choices else None
    return "" if said is not None and (said.text.strip() or said.tool_calls) else "no_response"


def is_babble(text: str) -> bool:
    """Whether a text says the same over and over, or is hardly made of words."""
    dense = re.sub(r"\s", "", text)
    if sum(letter.isalpha() for letter in dense) < _LEAST_LETTERS * len(dense):
        return True
    words = re.findall(r"\w+", text.lower())
    runs = [tuple(words[at : at + 3]) for at in range(len(words) - 2)]
    return len(words) >= _FEW_WORDS and len(set(runs)) < _LEAST_NEW * len(runs)
