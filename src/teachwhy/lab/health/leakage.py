"""Measured text, looked for in training rows: 13 words in a row, and passages copied with words changed.

A near copy is found exactly rather than by MinHash: measured text is small, so that every run of five words of a row
can be looked up in it. A row whose Jaccard similarity to a measured text is 0.8 holds most of that text's runs and is
found too, and so is one of which a measured passage is only a part, which a similarity of whole texts misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

import numpy as np

from teachwhy.core.grams import GRAM, Hashes, Lookup, Numbers, WordHashes, distinct, roll, split_words, unbroken

SHINGLE = 5
"""Words in a row by which texts are compared."""
WINDOW = 40
"""Shingles of a measured passage; passages overlap by half."""
COPIED = 0.3
"""Share of a passage's shingles that makes a row a near copy of it.

Every eighth word changed leaves three in eight of them; rows that speak of like things hold less than one in ten.
"""
_LEAST = 20
"""Shingles of the shortest text that a near copy can be told of."""
_PAIR = 1 << 32


class Leak(NamedTuple):
    """Words in a row that a row and a measured file share."""

    row: int
    file: str
    words: str


class Copy(NamedTuple):
    """A row that holds most of a measured passage."""

    row: int
    file: str
    share: float


class Measured:
    """Measured texts, file name to text, made ready to be looked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._hashes = WordHashes()
        self._grams: dict[str, str] = {}
        numbers: list[Hashes] = []
        self._windows: list[tuple[str, int]] = []
        shingles: list[Hashes] = []
        owners: list[Numbers] = []
        for file, text in texts.items():
            words = split_words(text)
            hashes = self._hashes.of(words)
            numbers.append(roll(hashes, GRAM))
            self._grams |= {" ".join(words[at : at + GRAM]): file for at in range(len(words) - GRAM + 1)}
            for window in _windows(roll(hashes, SHINGLE)):
                shingles.append(window)
                owners.append(np.full(len(window), len(self._windows)))
                self._windows.append((file, len(window)))
        self._known = Lookup(_join(numbers))
        self._index(_join(shingles), np.concatenate([np.empty(0, dtype=np.int64), *owners]))

    def _index(self, shingles: Hashes, owners: Numbers) -> None:
        """Lay the passages of each shingle beside one another."""
        self._shingles = Lookup(shingles)
        places = np.searchsorted(self._shingles.keys, shingles)
        self._owners = owners[np.argsort(places, kind="stable")]
        self._counts = np.bincount(places, minlength=len(self._shingles.keys))
        self._starts = np.cumsum(self._counts) - self._counts

    def leaks(self, words: list[str], hashes: Hashes, rows: Numbers) -> Iterator[Leak]:
        """The first shared run of each row, where ``hashes`` are of ``words`` and ``rows`` names the row of each."""
        seen = -1
        for at in self._known.find(roll(hashes, GRAM))[0].tolist():
            row = int(rows[at])
            if row == seen or row != rows[at + GRAM - 1]:
                continue
            text = " ".join(words[at : at + GRAM])
            file = self._grams.get(text)  # the words, since a number alone might be chance
            if file is not None:
                seen = row
                yield Leak(row, file, text)

    def leak(self, text: str) -> Leak | None:
        """The first run that a single text shares."""
        words = split_words(text)
        hashes = self._hashes.of(words)
        return next(self.leaks(words, hashes, np.zeros(len(words), dtype=np.int64)), None)

    def copies(self, hashes: Hashes, rows: Numbers) -> Iterator[Copy]:
        """For each row that is a near copy the passage that it holds most of."""
        at, places = self._shingles.find(roll(hashes, SHINGLE))
        inside = unbroken(rows, SHINGLE)[at]
        pairs = distinct(_pair(rows[at[inside]], places[inside]))
        holders, places = pairs // _PAIR, pairs % _PAIR
        enough = np.bincount(holders)[holders] >= COPIED * _LEAST
        holders, places = holders[enough], places[enough]
        counts = self._counts[places]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        windows = self._owners[np.repeat(self._starts[places], counts) + within]
        found, shared = np.unique(_pair(np.repeat(holders, counts), windows), return_counts=True)
        best: dict[int, Copy] = {}
        for pair, number in zip(cast("list[int]", found.tolist()), shared.tolist(), strict=True):
            row, window = divmod(pair, _PAIR)
            file, size = self._windows[window]
            share = number / size
            if share >= COPIED and (row not in best or share > best[row].share):
                best[row] = Copy(row, file, share)
        yield from best.values()


def _windows(shingles: Hashes) -> Iterator[Hashes]:
    """A text's shingles as overlapping passages, each without repeats; the last ends where the text does."""
    last = len(shingles) - WINDOW
    starts = [*range(0, last, WINDOW // 2), last] if last > 0 else [0]
    for start in starts:
        window = distinct(shingles[start : start + WINDOW])
        if len(window) >= _LEAST:
            yield window


def _pair(left: Numbers, right: Numbers) -> Numbers:
    """Two numbers as one, the right one below 2**32."""
    return left * _PAIR + right


def _join(arrays: list[Hashes]) -> Hashes:
    return np.concatenate([np.empty(0, dtype=np.uint64), *arrays])
