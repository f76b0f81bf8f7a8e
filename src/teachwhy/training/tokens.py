"""Rows to token ids and labels: one template and one mask for every arm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Message

IGNORED = -100
"""The label of a token that is read but not trained on."""


def encode(example: Example, tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, list[int]]:
    """``input_ids`` and ``labels``, both of the row's length in tokens.

    A document (``text``) trains on every token and ends with the end token; a chat trains on what the assistant says.
    Raises ConfigError for a row longer than ``max_length`` (cutting it would train on half an answer), or one with
    nothing to train on.
    """
    ids, labels = _code(example, tokenizer)
    if len(ids) > max_length:
        raise ConfigError(f"row {example.id} has {len(ids)} tokens, more than max_length {max_length}")
    if all(label == IGNORED for label in labels):
        raise ConfigError(f"row {example.id} has nothing to train on; does the chat template mark generation?")
    return {"input_ids": ids, "labels": labels}


def count_tokens(example: Example, tokenizer: PreTrainedTokenizerBase) -> int:
    """How long a row is, be there anything to train on in it or, as in a prompt, nothing."""
    return len(_code(example, tokenizer)[0])


def encode_prompt(
    messages: Sequence[Message], tools: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """The token ids of a chat up to where the assistant is to speak."""
    coder: Any = tokenizer
    rows = [message.row() for message in messages]
    coded = coder.apply_chat_template(
        rows, tools=list(tools) or None, tokenize=True, return_dict=True, add_generation_prompt=True
    )
    return list(coded["input_ids"])


def _code(example: Example, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    coder: Any = tokenizer
    if example.text is not None:
        ids = [*coder(example.text, add_special_tokens=False)["input_ids"], coder.eos_token_id]
        labels = list(ids)
    else:
        rows = [message.row() for message in example.messages]
        coded = coder.apply_chat_template(
            rows, tools=list(example.tools) or None, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        ids = list(coded["input_ids"])
        labels = [token if said else IGNORED for token, said in zip(ids, coded["assistant_masks"], strict=True)]
    return ids, labels


def show_mask(coded: dict[str, list[int]], tokenizer: PreTrainedTokenizerBase) -> str:
    """The row as text, with what is trained on between ⟦ and ⟧."""
    coder: Any = tokenizer
    parts: list[str] = []
    for trained, ids in _runs(coded["input_ids"], coded["labels"]):
        text = str(coder.decode(ids))
        parts.append(f"⟦{text}⟧" if trained else text)
    return "".join(parts)


def _runs(ids: Sequence[int], labels: Sequence[int]) -> Iterable[tuple[bool, list[int]]]:
    run: list[int] = []
    state = False
    for token, label in zip(ids, labels, strict=True):
        trained = label != IGNORED
        if run and trained != state:
            yield state, run
            run = []
        state = trained
        run.append(token)
    if run:
        yield state, run
