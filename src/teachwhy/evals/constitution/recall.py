"""Recall items made from a constitution itself: which sentences stand under which heading.

Simpler than written items: true are a clause's own sentences, false are those of other clauses, word for word, so a
model that has never seen the text does better than chance by the sense of the heading. Compare with the start.
"""

from __future__ import annotations

import re
from collections import Counter
from statistics import fmean, median
from typing import NamedTuple

from teachwhy.constitution import Clause, Constitution
from teachwhy.core.errors import ConfigError
from teachwhy.evals.constitution.items import LIKENESS, Item

SIDE = "made"
"""Sets these apart from written ones."""

_ITEMS = 3
"""At most so many a clause."""
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)*_]*\s+|(?<=[。！？])|\n+")
_MARK = re.compile(r"^\s*(?:[-*+>•]|\d{1,3}[.)]|\(\w\))\s+|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")
_LETTERS = range(15, 300)
_LONG_HEADING = 20
"""A heading of so many letters may be the opening words of its text, and would give them away."""


class _Pair(NamedTuple):
    """Two sentences of a clause, of like length."""

    clause: str
    texts: tuple[str, str]

    @property
    def lengths(self) -> tuple[float, int]:
        return fmean(map(len, self.texts)), min(map(len, self.texts))


def made_recall(constitution: Constitution) -> list[Item]:
    """Up to three items a clause; every pair of sentences is true once, and false about as often.

    Raises ConfigError where the text has too few sentences for that.
    """
    sentences = _sentences(constitution)
    middle = median([len(text) for texts in sentences.values() for text in texts] or [0])
    pairs = [pair for clause, texts in sentences.items() for pair in _pairs(clause, texts, middle)]
    used: Counter[_Pair] = Counter()
    headings = {clause.id: clause.heading for clause in constitution.clauses}
    items: list[Item] = []
    for number, pair in enumerate(pairs):
        others = [other for other in pairs[number + 1 :] + pairs[:number] if _are_alike(pair, other)]
        if not others:
            continue
        false = min(others, key=lambda other: used[other])
        used[false] += 1
        items.append(_item(pair, false, sum(item.clause == pair.clause for item in items) + 1, constitution, headings))
    if not items:
        raise ConfigError(
            f"constitution {constitution.title!r}: no recall items can be made of it; it needs two clauses with two "
            "sentences each, of like length"
        )
    return items


def _sentences(constitution: Constitution) -> dict[str, list[str]]:
    """Clause to its sentences: neither too short nor too long, in no other clause, and not the heading again."""
    cut = {clause.id: [_plain(text) for text in _SENTENCE.split(clause.text)] for clause in constitution.clauses}
    clauses_of = Counter(text for texts in cut.values() for text in set(texts))
    return {
        clause.id: [text for text in cut[clause.id] if _is_fit(text, clause) and clauses_of[text] == 1]
        for clause in constitution.clauses
    }


def _plain(text: str) -> str:
    return " ".join(_MARK.sub("", text).split())


def _is_fit(text: str, clause: Clause) -> bool:
    if len(text) not in _LETTERS or text.startswith(("#", "|")):
        return False
    heading, said = clause.heading.casefold(), text.casefold()
    return len(heading) < _LONG_HEADING or (heading not in said and said not in heading)


def _pairs(clause: str, sentences: list[str], middle: float) -> list[_Pair]:
    """The sentences of most usual length, two and two by length."""
    nearest = sorted(sentences, key=lambda text: (abs(len(text) - middle), text))[: 2 * _ITEMS]
    by_length = sorted(nearest, key=lambda text: (len(text), text))
    return [_Pair(clause, (first, second)) for first, second in zip(by_length[::2], by_length[1::2], strict=False)]


def _are_alike(pair: _Pair, other: _Pair) -> bool:
    if pair.clause == other.clause:
        return False
    return all(abs(a - b) <= LIKENESS * max(a, b) for a, b in zip(pair.lengths, other.lengths, strict=True))


def _item(pair: _Pair, false: _Pair, number: int, constitution: Constitution, headings: dict[str, str]) -> Item:
    return Item(
        id=f"recall/{pair.clause}-made-{number}",
        kind="recall",
        clause=pair.clause,
        questions={SIDE: f"What does “{constitution.title}” say under the heading “{headings[pair.clause]}”?"},
        good=pair.texts,
        bad=false.texts,
    )
