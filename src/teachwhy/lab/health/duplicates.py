"""Rows that are the same, and rows that nearly are.

Exact duplicates have the same words in the same order, whoever says them. Near duplicates are rows whose talk (all but
the system prompt and the tools) has a Jaccard similarity of at least 0.8 between its sets of five-word runs; several
answers to one prompt are near duplicates where the prompt is most of the row.

Candidates come from MinHash (rensa, 64 permutations) in 16 bands of 4: a pair of similarity 0.8 shares a band with
probability 0.9998. Within a band rows are laid in the order of the next one, and each is compared with the three after
it, so that the work grows with the rows and not with their pairs. Similarity is then reckoned exactly, from the rows
read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teachwhy.core.grams import Hashes, Numbers, distinct
from teachwhy.lab.health.part import Signatures

SIMILAR = 0.8
"""The least Jaccard similarity of near duplicates."""

_BAND = 4
_NEIGHBOURS = 3
# about four standard errors of 64 permutations below SIMILAR
_WORTH_A_LOOK = 0.62
_CHUNK = 1 << 17
_PAIR = 1 << 32

Shingles = npt.NDArray[np.uint32]
"""A row's distinct shingles in order, cut to 32 bits: enough to tell those of two rows apart."""


class Pair(NamedTuple):
    """Two rows, the sooner first, and how alike they are."""

    first: int
    second: int
    similarity: float


def equal_rows(whole: Hashes) -> list[list[int]]:
    """Groups of rows with the same words, the largest first; rows without words are left out."""
    order = np.argsort(whole, kind="stable")
    ordered = whole[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else order
    ends = np.append(starts[1:], len(ordered))
    several = np.flatnonzero((ends - starts > 1) & (ordered[starts] != 0)) if len(ordered) else starts
    groups = [order[starts[at] : ends[at]].tolist() for at in several.tolist()]
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def candidates(signatures: Signatures, rows: Numbers) -> list[Pair]:
    """Pairs among ``rows`` that may be near duplicates, the likeliest first, with their estimated similarity."""
    # a row that is too short for a shingle is like no other
    rows = rows[signatures[rows, 0] != np.iinfo(np.uint32).max]
    bands = signatures.shape[1] // _BAND
    pairs: list[Numbers] = [np.empty(0, dtype=np.int64)]
    keys = _band_keys(signatures, rows, 0)
    for band in range(bands):
        following = _band_keys(signatures, rows, (band + 1) % bands)
        order = np.lexsort((following, keys))
        for distance in range(1, _NEIGHBOURS + 1):
            left, right = order[:-distance], order[distance:]
            same = keys[left] == keys[right]
            pairs += _alike(signatures, rows[left[same]], rows[right[same]])
        keys = following
    both = distinct(np.concatenate(pairs))
    first, second = both // _PAIR, both % _PAIR
    agreed = np.concatenate([np.empty(0), *_agreement(signatures, first, second)])
    order = np.argsort(-agreed, kind="stable")
    return [*map(Pair, first[order].tolist(), second[order].tolist(), agreed[order].tolist())]


def _band_keys(signatures: Signatures, rows: Numbers, band: int) -> Hashes:
    """One number for the values of a band: rows that share it are alike, or collide once in 2**64."""
    total = np.zeros(len(rows), dtype=np.uint64)
    for column in range(band * _BAND, (band + 1) * _BAND):
        total = (total + signatures[rows, column]) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total


def _alike(signatures: Signatures, left: Numbers, right: Numbers) -> Iterator[Numbers]:
    """The pairs whose signatures agree enough, each as one number."""
    agreed = np.concatenate([np.empty(0), *_agreement(signatures, left, right)]) >= _WORTH_A_LOOK
    left, right = left[agreed], right[agreed]
    yield np.minimum(left, right) * _PAIR + np.maximum(left, right)


def _agreement(signatures: Signatures, left: Numbers, right: Numbers) -> Iterator[npt.NDArray[np.float64]]:
    """The share of each pair's signatures that agrees, some pairs at a time."""
    for start in range(0, len(left), _CHUNK):
        some = slice(start, start + _CHUNK)
        yield (signatures[left[some]] == signatures[right[some]]).mean(axis=1)


def verify(pairs: Sequence[Pair], shingles: Mapping[int, Shingles]) -> list[Pair]:
    """The pairs that are near duplicates, with their exact similarity, the most alike first.

    A pair is passed over where others have joined its rows already: a group of n rows costs about n comparisons.
    """
    joined = _Groups()
    found: list[Pair] = []
    for pair in pairs:
        if joined.root(pair.first) == joined.root(pair.second):
            continue
        similarity = jaccard(shingles[pair.first], shingles[pair.second])
        if similarity >= SIMILAR:
            joined.join(pair.first, pair.second)
            found.append(Pair(pair.first, pair.second, similarity))
    return sorted(found, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def join_all(pairs: Sequence[Pair]) -> list[list[int]]:
    """The groups of rows that pairs make, the largest first."""
    joined = _Groups()
    for pair in pairs:
        joined.join(pair.first, pair.second)
    return joined.all()


def jaccard(one: Shingles, other: Shingles) -> float:
    """The share of the shingles of two rows that both have; 0 where there are none."""
    both = np.sort(np.concatenate([one, other]))
    shared = int((both[1:] == both[:-1]).sum())
    return shared / (len(both) - shared) if len(both) else 0.0


class _Groups:
    """Rows joined into groups, a pair at a time."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def root(self, row: int) -> int:
        """The row that stands for a row's group."""
        while (above := self._above.get(row, row)) != row:
            self._above[row] = self._above.get(above, above)
            row = above
        return row

    def join(self, one: int, other: int) -> None:
        """Make two groups one."""
        one, other = self.root(one), self.root(other)
        self._above.setdefault(min(one, other), min(one, other))
        self._above[max(one, other)] = min(one, other)

    def all(self) -> list[list[int]]:
        groups: dict[int, list[int]] = defaultdict(list)
        for row in self._above:
            groups[self.root(row)].append(row)
        return sorted((sorted(group) for group in groups.values()), key=lambda group: (-len(group), group[0]))
