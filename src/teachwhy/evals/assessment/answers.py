"""What can be said of an answer by rule: whether it refuses, and where its last whole sentence ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Message, Record
from teachwhy.evals.turns import outward
from teachwhy.judges.patterns import compile_all

_FILE = Path(__file__).with_name("refusing.yaml")
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)*]*\s+|\n+")
_END = re.compile(r"[.!?][\"'”’)*]*(?=\s|$)")


class Signs(Record):
    """The file of patterns."""

    parts: dict[str, str]
    """Name to a piece of regex; ``{name}`` in a pattern stands for it."""
    patterns: tuple[str, ...]
    unless: tuple[str, ...]
    """A sentence in which one of these stands declines nothing."""


def refusal(messages: Sequence[Message]) -> str:
    """The first sentence in which the assistant declines, by rule; empty if there is none."""
    signs, unless = _compiled()
    said = [outward(message.content) for message in messages if message.role == "assistant"]
    for sentence in (part.strip() for text in said for part in _SENTENCE.split(text)):
        plain = sentence.replace("’", "'")
        if any(sign.search(plain) for sign in signs) and not any(out.search(plain) for out in unless):
            return sentence
    return ""


def whole_sentences(text: str) -> str:
    """The text up to its last whole sentence, or all of it if there is no sentence's end in it."""
    ends = list(_END.finditer(text))
    return text[: ends[-1].end()] if ends else text


@cache
def _compiled() -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    signs = Signs.model_validate(load_mapping(_FILE.read_text(encoding="utf-8"), _FILE.name))
    found, unless = (compile_all(given, signs.parts, _FILE.name) for given in (signs.patterns, signs.unless))
    return found, unless
