"""One pass over a piece of the rows, in slices that are searched as arrays."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import rensa

from teachwhy.core.grams import (
    GRAM,
    Lookup,
    WordHashes,
    carries_canary,
    distinct,
    fold,
    hash_text,
    roll,
    split_words,
    unbroken,
)
from teachwhy.lab.health.layout import Layout, Run, lay_out
from teachwhy.lab.health.leakage import SHINGLE, Measured
from teachwhy.lab.health.part import ORDERS, Finding, Part, Signatures, few, merge
from teachwhy.lab.health.phrases import Phrase, mentions_of_testing, stock_phrases
from teachwhy.lab.health.rows import CALLED, FRAME, READ, SAID, Row
from teachwhy.lab.health.shards import Shard, Unread, read_shard, slices

PERMUTATIONS = 64
TEST_TALK = "eval_description"
"""The intervention whose rows are meant to speak of tests."""
CONFLICT = "conflict"
"""The intervention whose rows contradict the constitution on purpose."""

_ALL = (FRAME, READ, SAID, CALLED)
_TRAINED = (SAID, CALLED)
_TALK = (READ, SAID, CALLED)
_ROWS, _LETTERS = 4096, 1 << 22
_SEED = 20
_OPENING = 5
_COMMON = 4
_KEPT = 2000
_PIECE = 1 << 18
_ROW_BITS = 12


@dataclass(frozen=True)
class Settings:
    """What rows are held against."""

    measured: Mapping[str, str]
    """File name to measured text."""
    held_out: frozenset[str]
    max_length: int | None = None
    sampled_bits: int = 0
    """Pairs and triples of words are counted by one in ``2**sampled_bits`` of their hashes."""


class Scanner:
    """All that rows are held against, made ready once in each process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._measured = Measured(settings.measured)
        self._hashes = WordHashes()

    def scan(self, shard: Shard) -> Part:
        """What a piece of the rows holds."""
        return merge([self._scan(run) for run in slices(read_shard(shard), _ROWS, _LETTERS)] or [self._scan([])])

    def _scan(self, run: Sequence[tuple[int, Row | Unread]]) -> Part:
        numbers = [number for number, row in run if isinstance(row, Row)]
        rows = [row for _, row in run if isinstance(row, Row)]
        unread = [Finding("unreadable", row.name, row.why) for _, row in run if isinstance(row, Unread)]
        laid = lay_out(rows, self._hashes)
        trained = laid.only(_TRAINED)
        lengths = np.array([row.tokens for row in rows], dtype=np.int64)
        openings = list(_openings(laid))
        part = Part(
            numbers=np.array(numbers, dtype=np.int64),
            whole=fold(laid.run.hashes, laid.row_sizes),
            signatures=sign(laid),
            lengths=np.where(lengths > 0, lengths, laid.row_sizes),
            openings=np.array([hash_text(opening) for opening in openings], dtype=np.uint64),
            grams=tuple(self._distinct(trained, size) for size in ORDERS),
            gram_totals=np.array([unbroken(trained.texts, size).sum() for size in ORDERS]),
            counts=_counts(rows, laid),
            breaches=[*unread, *self._breaches(rows, laid)],
        )
        part.labels = {
            "intervention": Counter(row.intervention for row in rows if row.intervention),
            "clause": Counter(clause for row in rows for clause in set(row.clauses)),
            "opening": _most(Counter(openings)),
            "run": _common_runs(laid, trained),
        }
        self._look_for_phrases(part, rows, laid, trained)
        self._note_long_rows(part, rows)
        return part

    def _distinct(self, trained: Run, size: int) -> Any:
        """The distinct runs of words; beyond single words a sample of them where there are many."""
        runs = roll(trained.hashes, size)[unbroken(trained.texts, size)]
        bits = self._settings.sampled_bits
        return distinct(runs if size == 1 or not bits else runs[runs < np.uint64(1 << (64 - bits))])

    def _breaches(self, rows: Sequence[Row], laid: Layout) -> Iterator[Finding]:
        for number in sorted({int(laid.text_rows[at]) for at, text in enumerate(laid.texts) if carries_canary(text)}):
            yield Finding("canary", rows[number].name, "carries the canary of measured text")
        for leak in self._measured.leaks(laid.words, laid.run.hashes, laid.run.rows):
            yield Finding("leak", rows[leak.row].name, f"shares {GRAM} words with {leak.file}: {leak.words!r}")
        for copy in self._measured.copies(laid.run.hashes, laid.run.rows):
            what = f"holds {copy.share:.0%} of the five-word runs of a passage of {copy.file}"
            yield Finding("copy", rows[copy.row].name, what)
        for row in rows:
            if row.family in self._settings.held_out:
                yield Finding("held_out", row.name, f"is of the held-out family {row.family!r}")
            if not row.trained and not row.prompt_only:
                yield Finding("nothing", row.name, "has nothing to train on")
            if row.empty_reasoning:
                yield Finding("empty_reasoning", row.name, "holds reasoning with nothing in it")

    def _look_for_phrases(self, part: Part, rows: Sequence[Row], laid: Layout, trained: Run) -> None:
        stock = stock_phrases()
        found = stock.find(trained, lambda row: laid.text_of(row, _TRAINED))
        part.labels["stock"] = Counter(stock.phrases[number].name for _, number in found)
        testing = mentions_of_testing()
        mentions = list(testing.find(laid.run, lambda row: laid.text_of(row, _ALL)))
        expected = {number for number, row in enumerate(rows) if row.intervention == TEST_TALK}
        part.labels["testing"] = Counter(testing.phrases[number].name for _, number in mentions)
        part.labels["testing expected"] = Counter(
            testing.phrases[number].name for row, number in mentions if row in expected
        )
        speaking = {row for row, _ in mentions}
        part.counts["rows on testing"] = len(speaking)
        part.counts["rows on testing expected"] = len(speaking & expected)
        unexpected = [(row, number) for row, number in mentions if row not in expected]
        part.notes += few(
            Finding("testing", rows[row].name, _around(laid.text_of(row, _ALL), testing.phrases[number]))
            for row, number in unexpected[:50]
        )

    def _note_long_rows(self, part: Part, rows: Sequence[Row]) -> None:
        longest = self._settings.max_length
        if longest is not None:
            long = np.flatnonzero(part.lengths > longest).tolist()
            part.counts["too long"] = len(long)
            part.notes += few(Finding("too long", rows[at].name, str(part.lengths[at])) for at in long)


def sign(laid: Layout) -> Signatures:
    """A MinHash signature of each row's talk: its runs of five words, system prompts and tools left out."""
    shingles, sizes = shingle(laid)
    offsets = np.zeros(len(sizes) + 1, dtype=np.uint64)
    np.cumsum(sizes, out=offsets[1:], dtype=np.uint64)
    digest: Any = cast("Any", rensa).RMinHash.digest_matrix_from_flat_token_hashes
    return np.array(digest(shingles, offsets, PERMUTATIONS, _SEED).to_rows(), dtype=np.uint32).reshape(-1, PERMUTATIONS)


def shingle(laid: Layout) -> tuple[Any, Any]:
    """The shingles of each row's talk, one row after another, and how many each has."""
    talk = laid.only(_TALK)
    inside = unbroken(talk.rows, SHINGLE)
    owners = talk.rows[: len(inside)][inside]
    return roll(talk.hashes, SHINGLE)[inside], np.bincount(owners, minlength=len(laid.row_sizes))


def _counts(rows: Sequence[Row], laid: Layout) -> Counter[str]:
    said = [laid.texts[at] for at in np.flatnonzero(laid.text_parts >= SAID).tolist()]
    piece = "\n".join(said)[:_PIECE].encode("utf-8", "surrogatepass")
    return Counter(
        {
            "rows": len(rows),
            "words": len(laid.words),
            "tokens": sum(row.tokens for row in rows),
            "rows with tokens": sum(row.tokens > 0 for row in rows),
            "rows with clauses": sum(bool(row.clauses) for row in rows),
            "prompts": sum(row.prompt_only for row in rows),
            "conflict": sum(row.intervention == CONFLICT for row in rows),
            "empty turns": sum(row.empty_turns for row in rows),
            "squeezed": len(zlib.compress(piece)),
            "to squeeze": len(piece),
        }
    )


def _openings(laid: Layout) -> Iterator[str]:
    """The first words of each text that the model is taught to say."""
    ends = np.append(laid.text_starts[1:], len(laid.words))
    for at in np.flatnonzero(laid.text_parts == SAID).tolist():
        start = int(laid.text_starts[at])
        if start < ends[at]:
            yield " ".join(laid.words[start : min(start + _OPENING, int(ends[at]))])


def _common_runs(laid: Layout, trained: Run) -> Counter[str]:
    """The runs of four words that most rows hold, each counted once a row; those of a single row are left out."""
    inside = unbroken(trained.texts, _COMMON)
    # the row takes the place of the lowest bits, so that one sort brings runs together and drops repeats within a row
    low = np.uint64((1 << _ROW_BITS) - 1)
    runs = roll(trained.hashes, _COMMON)[inside] & ~low
    marked = distinct(runs | trained.rows[: len(inside)][inside].astype(np.uint64)) & ~low
    kinds, counts = np.unique(marked, return_counts=True)
    top = np.argsort(-counts, kind="stable")[:_KEPT]
    common = dict(zip(kinds[top].tolist(), counts[top].tolist(), strict=True))
    lookup = Lookup(kinds[top])
    found, which = lookup.find(runs)
    kept, firsts = np.unique(which, return_index=True)
    places = trained.places[: len(inside)][inside][found[firsts]]
    return Counter(
        {
            " ".join(laid.words[place : place + _COMMON]): common[key]
            for key, place in zip(lookup.keys[kept].tolist(), places.tolist(), strict=True)
            if common[key] > 1
        }
    )


def _most(counter: Counter[str]) -> Counter[str]:
    return Counter(dict(counter.most_common(_KEPT)))


def _around(text: str, phrase: Phrase) -> str:
    """A phrase within the words around it."""
    words = r"\W+".join(map(re.escape, split_words(phrase.near[0])))
    at = re.search(rf".{{0,60}}\b{words}\b.{{0,60}}", text)
    return " ".join(at[0].split()) if at else phrase.name
