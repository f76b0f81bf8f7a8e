"""The training rows nearest to a text, by shared words and pairs of words, so that a person can look at what there is.

Cosine similarity of tf-idf weights (1 + log tf, times log((1 + n) / (1 + df)) + 1), words and pairs hashed into 2**20
buckets; document frequencies from about 20,000 rows spread over all. Compared is what describes a row's situation, not
what the assistant says. Simpler than "nearest" suggests: no model is asked, so that the same thing said in other words
is not near; and of rows whose texts are the same, the first stands for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from teachwhy.core.grams import Numbers, WordHashes, hash_text, roll, split_words, unbroken
from teachwhy.core.records import Record
from teachwhy.core.shards import Shard, UnreadableRowError, parse, read_raw
from teachwhy.core.stats.observations import untyped
from teachwhy.diagnosis.counting import all_shards, name_files, spread
from teachwhy.diagnosis.rows import COLUMNS, SYSTEM, TEXT, TOOL, USER, Parts, read_parts

EXCERPT = 300
"""Characters of a row that are shown."""

_BITS = 20
_SAMPLED = 20_000
_ROWS, _LETTERS = 2048, 1 << 22
_LONGEST = 20_000
"""Characters of a row that are compared."""

Floats = npt.NDArray[np.float64]


class Near(Record):
    """A training row near to a text."""

    place: str
    """File and line."""
    similarity: float
    """From 0 to 1."""
    excerpt: str
    """The beginning of its situation, of a talk from the first user turn on."""


class _Piece(NamedTuple):
    number: int
    name: str
    """Of its file."""
    shard: Shard


class _Found(NamedTuple):
    similarity: float
    piece: int
    number: int
    text: int
    """What stands for its whole text."""
    near: Near

    @property
    def order(self) -> tuple[float, int, int]:
        return -self.similarity, self.piece, self.number


class _Row(NamedTuple):
    number: int
    text: str
    excerpt: str


class _Asked(NamedTuple):
    """The texts, ready to be compared with."""

    weights: Floats
    """Of each bucket that any of them has, for each of them; each of length 1."""
    columns: Numbers
    """Bucket to its line in ``weights``, or -1."""
    idf: Floats
    most: int
    """How many rows are wanted for each."""


def situation_text(row: Mapping[str, Any]) -> str:
    """What describes a row's situation, as it is compared. Raises UnreadableRowError."""
    return _situation(read_parts(row))


def nearest(
    texts: Mapping[str, str],
    files: Sequence[Path],
    count: int = 5,
    *,
    workers: int | None = None,
    step: Callable[[int, int], None] | None = None,
) -> dict[str, tuple[Near, ...]]:
    """The ``count`` rows nearest to each text, nearest first, of those that share any word with it.

    ``texts`` by any name, such as ``situation_text`` of a scene's row. Rows that cannot be read are passed over. Reads
    all rows once and a sample of them twice, a piece of a file at a time; does not depend on the number of processes.
    Raises ConfigError for a path without rows.
    """
    shards = all_shards(files)
    names = name_files([shard.file for shard in shards])
    pieces = [_Piece(number, names[shard.file], shard) for number, shard in enumerate(shards)]
    every = max(1, sum(shard.rows for shard in shards) // _SAMPLED)
    best: dict[str, list[_Found]] = {name: [] for name in texts}
    done, total = 0, sum(shard.size for shard in shards)
    with spread(len(shards), workers) as run:
        frequency, rows = np.zeros(1 << _BITS, dtype=np.int64), 0
        for counts, read in run(partial(_frequencies, every), shards):
            frequency += counts
            rows += read
        asked = _weigh(list(texts.values()), np.log((1.0 + rows) / (1.0 + frequency)) + 1.0, count)
        for shard, found in zip(shards, run(partial(_search, asked), pieces), strict=True):
            for name, new in zip(texts, found, strict=True):
                best[name] = _best([*best[name], *new], count)
            done += shard.size
            if step is not None:
                step(done, total)
    return {name: tuple(one.near for one in found) for name, found in best.items()}


def _weigh(texts: Sequence[str], idf: Floats, count: int) -> _Asked:
    owners, buckets, weights = _vectors(texts, WordHashes(), idf)
    used, lines = np.unique(buckets, return_inverse=True)
    columns = np.full(1 << _BITS, -1, dtype=np.int64)
    columns[used] = np.arange(len(used))
    table = np.zeros((len(used), len(texts)))
    table[lines, owners] = weights
    return _Asked(table, columns, idf, count)


def _vectors(texts: Sequence[str], hashes: WordHashes, idf: Floats) -> tuple[Numbers, Numbers, Floats]:
    """(text, bucket, weight) of all words and pairs of words; the weights of a text have length 1."""
    owners, buckets, times = _counted(texts, hashes)
    weights = (1.0 + np.log(times)) * idf[buckets]
    length = np.sqrt(np.bincount(owners, weights**2, minlength=len(texts)))
    return owners, buckets, weights / length[owners]


def _counted(texts: Sequence[str], hashes: WordHashes) -> tuple[Numbers, Numbers, Numbers]:
    """(text, bucket, how often) of all words and pairs of words."""
    split = [split_words(text[:_LONGEST]) for text in texts]
    words = hashes.of([word for one in split for word in one])
    owners = np.repeat(np.arange(len(texts)), [len(one) for one in split])
    inside = unbroken(owners, 2)
    grams = np.concatenate([words, roll(words, 2)[inside]])
    of = np.concatenate([owners, owners[: len(inside)][inside]])
    keys = of << _BITS | (grams >> np.uint64(64 - _BITS)).astype(np.int64)
    kinds, times = np.unique(keys, return_counts=True)
    return kinds >> _BITS, kinds & ((1 << _BITS) - 1), times


def _frequencies(every: int, shard: Shard) -> tuple[Numbers, int]:
    """In how many of the sampled rows each bucket stands, and how many those are."""
    counts, read, hashes = np.zeros(1 << _BITS, dtype=np.int64), 0, WordHashes()
    for rows in _blocks(shard, every):
        _, buckets, _ = _counted([row.text for row in rows], hashes)
        counts += np.bincount(buckets, minlength=1 << _BITS)
        read += len(rows)
    return counts, read


def _search(asked: _Asked, piece: _Piece) -> list[list[_Found]]:
    """The best rows of a piece, for each text."""
    best: list[list[_Found]] = [[] for _ in range(asked.weights.shape[1])]
    hashes = WordHashes()
    for rows in _blocks(piece.shard, 1):
        similar = _compare(asked, [row.text for row in rows], hashes)
        for at, column in enumerate(similar.T):
            new = _promising(piece, rows, column, best[at], asked.most)
            best[at] = _best([*best[at], *new], asked.most)
    return best


def _promising(
    piece: _Piece, rows: Sequence[_Row], similar: Floats, best: Sequence[_Found], count: int
) -> list[_Found]:
    """The rows of a block that may be among the best: the first ``count`` different texts."""
    least = best[-1].similarity if len(best) == count else 0.0
    better = np.flatnonzero(similar > least)
    found: dict[int, _Found] = {}
    for at in _ordered(similar, better):
        row, text = rows[at], hash_text(rows[at].text)
        if text not in found:
            near = Near(
                place=f"{piece.name}:{row.number}", similarity=min(float(similar[at]), 1.0), excerpt=row.excerpt
            )
            found[text] = _Found(float(similar[at]), piece.number, row.number, text, near)
            if len(found) == count:
                break
    return list(found.values())


def _ordered(similar: Floats, places: Numbers) -> list[int]:
    """Places by similarity, the highest first; of equal ones the first."""
    return [int(places[at]) for at in np.argsort(-similar[places], kind="stable")]


def _compare(asked: _Asked, texts: Sequence[str], hashes: WordHashes) -> Floats:
    """The similarity of each text of a block to each that was asked for."""
    owners, buckets, weights = _vectors(texts, hashes, asked.idf)
    columns = asked.columns[buckets]
    shared = columns >= 0
    shape = len(texts), len(asked.weights)
    matrix = untyped("scipy.sparse").csr_array((weights[shared], (owners[shared], columns[shared])), shape=shape)
    # rounded, so that the order of additions decides nothing
    similar: Floats = matrix @ asked.weights
    return np.round(similar, 6)


def _best(found: Sequence[_Found], count: int) -> list[_Found]:
    """The best, of equal texts the first alone."""
    kept: dict[int, _Found] = {}
    for one in sorted(found, key=lambda one: one.order):
        kept.setdefault(one.text, one)
        if len(kept) == count:
            break
    return list(kept.values())


def _blocks(shard: Shard, every: int) -> Iterator[list[_Row]]:
    """Rows in runs that are compared at once, ended sooner by long texts."""
    run: list[_Row] = []
    held = 0
    for number, raw in read_raw(shard, COLUMNS):
        if number % every:
            continue
        with suppress(UnreadableRowError):
            parts = read_parts(parse(raw))
            run.append(_Row(number, _situation(parts), _excerpt(parts)))
            held += len(run[-1].text)
        if len(run) == _ROWS or held >= _LETTERS:
            yield run
            run, held = [], 0
    if run:
        yield run


def _situation(parts: Parts) -> str:
    return "\n".join(text for part in (SYSTEM, USER, TOOL, TEXT) for text in parts.texts.get(part, ()))


def _excerpt(parts: Parts) -> str:
    shown = " ".join(text for part in (USER, TOOL, TEXT, SYSTEM) for text in parts.texts.get(part, ()))[: 2 * EXCERPT]
    shown = " ".join(shown.split())
    return shown if len(shown) <= EXCERPT else shown[: EXCERPT - 1].rstrip() + "…"
