"""How long a row is, in tokens of the model that trains on it."""

from __future__ import annotations

from teachwhy.core.records import Example
from teachwhy.interventions import Count


def counter(model: str, max_length: int | None = None) -> Count:
    """Counts a row's tokens as the model's tokenizer and template make them.

    With ``max_length`` the rows are to be trained on: the function raises ConfigError for a longer one, or one with
    nothing to train on.
    """
    from teachwhy.models.catalogue import resolve
    from teachwhy.models.weights import load_tokenizer
    from teachwhy.training.tokens import count_tokens, encode

    tokenizer = load_tokenizer(resolve(model))

    def count(row: Example) -> int:
        if max_length is None:
            return count_tokens(row, tokenizer)
        return len(encode(row, tokenizer, max_length)["input_ids"])

    return count
