"""Written alternatives, and which of them a model finds likelier: an answer without sampling, and so without void."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, cast

from inspect_ai.model import Model

from teachwhy.core.errors import ModelError


class Likelihoods(Protocol):
    """What is needed of a model's provider."""

    async def log_likelihoods(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], turns: Sequence[dict[str, Any]]
    ) -> list[float]:
        """Log probability in nats of each written assistant turn after ``messages``."""
        ...


async def log_likelihoods(
    model: Model, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], turns: Sequence[dict[str, Any]]
) -> list[float]:
    """Log probability in nats of each turn; rows as in ``Message.row``. Raises ModelError where a model tells none."""
    require_likelihoods(model)
    return await cast("Likelihoods", model.api).log_likelihoods(messages, tools, turns)


def require_likelihoods(model: Model) -> None:
    """Raise ModelError where a model tells no likelihoods; for those who would sample first."""
    if not hasattr(model.api, "log_likelihoods"):
        raise ModelError(f"{model} cannot tell likelihoods; leave that instrument out, or use a teachwhy/ model")


def preference(first: Sequence[float], second: Sequence[float]) -> float:
    """The share of the first texts, from log likelihoods in nats; each class counts once, whatever its number.

    Likelihoods are sums over tokens: the two classes must be of like length.
    """
    return 1.0 / (1.0 + math.exp(min(700.0, _mean_log(second) - _mean_log(first))))


def per_word(logs: Sequence[float], texts: Sequence[str]) -> list[float]:
    """Log likelihoods by the words of their texts.

    For answers of a sentence or more: the likelihoods of whole ones lie so far apart that the share is 0 or 1 nearly
    everywhere, and stays there whatever is trained.
    """
    return [log / len(text.split()) for log, text in zip(logs, texts, strict=True)]


def _mean_log(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))
