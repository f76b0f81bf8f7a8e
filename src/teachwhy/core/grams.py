"""Words, and runs of words as 64-bit numbers: how the guard and the check of rows look for text that they know.

A word stands for a hash of it, a run of words for a polynomial over those, so that a million runs are one array and are
looked up at once. Whoever refuses a row for a number compares the words as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from hashlib import blake2b
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from teachwhy.core.markdown import CANARY

GRAM = 13
"""Words in a row that training and measured text may not share."""

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

_Value = TypeVar("_Value", np.uint64, np.int64)

_WORD = re.compile(r"\w+")
# the key alone: what stands around it is for people, and does not always come along
_CANARY_KEY = CANARY.split()[1].rstrip(":")
_BASE = np.uint64(0x9E3779B97F4A7C15)
_KNOWN_WORDS = 1 << 20
_TABLE_BITS = 20


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, without what stands between them."""
    return _WORD.findall(text.lower())


def carries_canary(text: str) -> bool:
    """Whether a text carries the canary of measured text, in whatever case and company."""
    return _CANARY_KEY in text.lower()


def hash_text(text: str) -> int:
    """64 bits that stand for a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class WordHashes(dict[str, int]):
    """Words to their hashes, remembered, since a corpus says most of its words very often."""

    def __missing__(self, word: str) -> int:
        """The hash of a word that is new."""
        value = hash_text(word)
        if len(self) < _KNOWN_WORDS:
            self[word] = value
        return value

    def of(self, words: Collection[str]) -> Hashes:
        """The hashes of words, in their order."""
        return np.fromiter(map(self.__getitem__, words), dtype=np.uint64, count=len(words))


def roll(hashes: Hashes, size: int) -> Hashes:
    """A number for each run of ``size`` words, in order; none for fewer words than that."""
    count = max(len(hashes) - size + 1, 0)
    total = hashes[:count].copy()
    for at in range(1, size):
        total *= _BASE
        total += hashes[at : at + count]
    return total


def unbroken(owners: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.bool_]:
    """Which runs of ``size`` words stand in one text, where ``owners`` names the text of each word in order."""
    count = max(len(owners) - size + 1, 0)
    return owners[:count] == owners[len(owners) - count :]


def fold(hashes: Hashes, sizes: Numbers) -> Hashes:
    """A number for each whole text, where ``sizes`` are the words of each text in order; 0 for one without words."""
    folded = np.zeros(len(sizes), dtype=np.uint64)
    some = sizes > 0
    if not some.any():
        return folded
    powers = np.full(int(sizes.max()), _BASE)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    starts = np.cumsum(sizes) - sizes
    places = np.arange(len(hashes)) - np.repeat(starts, sizes)
    folded[some] = np.add.reduceat(hashes * powers[places], starts[some])
    return folded


def distinct(values: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
    """The distinct values, in order; several times as fast as ``numpy.unique``, which hashes before it sorts."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


class Lookup:
    """A set of hashes in which many are looked up at once.

    A table of the leading bits turns nearly all away before the sorted search.
    """

    def __init__(self, hashes: Hashes) -> None:
        self.keys = distinct(hashes)
        self._shift = np.uint64(64 - _TABLE_BITS)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._table[self.keys >> self._shift] = True

    def find(self, hashes: Hashes) -> tuple[Numbers, Numbers]:
        """Where hashes of the set stand, in order, and the place of each in ``keys``."""
        if not len(self.keys):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        maybe = np.flatnonzero(self._table[hashes >> self._shift])
        places = np.minimum(np.searchsorted(self.keys, hashes[maybe]), len(self.keys) - 1)
        found = self.keys[places] == hashes[maybe]
        return maybe[found], places[found]
