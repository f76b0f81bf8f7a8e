"""Rows laid out as one long line of words, with the row, the text and the part of each: what is searched at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from teachwhy.core.grams import Hashes, Numbers, WordHashes, split_words
from teachwhy.lab.health.rows import Row

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Run:
    """Some of the words, in order."""

    hashes: Hashes
    rows: Numbers
    """The row of each word."""
    texts: Numbers
    """The text of each word."""
    places: Numbers
    """Where each word stands among all."""


@dataclass(frozen=True)
class Layout:
    """All words of some rows."""

    words: list[str]
    run: Run
    texts: list[str]
    """Every text in lower case."""
    text_parts: npt.NDArray[np.int8]
    """The part that each text plays."""
    text_rows: Numbers
    text_starts: Numbers
    """Where the words of each text begin among all."""
    row_sizes: Numbers
    """Words of each row."""

    def only(self, parts: Sequence[int]) -> Run:
        """The words of the texts that play one of these parts."""
        wanted = np.isin(self.text_parts, parts)
        return self.select(np.flatnonzero(wanted[self.run.texts]))

    def select(self, places: Numbers) -> Run:
        """The words at some places."""
        run = self.run
        return Run(run.hashes[places], run.rows[places], run.texts[places], places)

    def text_of(self, row: int, parts: Sequence[int]) -> str:
        """What a row's texts of some parts say, in lower case."""
        first, end = np.searchsorted(self.text_rows, [row, row + 1])
        return "\n".join(self.texts[at] for at in range(int(first), int(end)) if self.text_parts[at] in parts)


def lay_out(rows: Sequence[Row], hashes: WordHashes) -> Layout:
    """The words of rows, one after another."""
    words: list[str] = []
    texts: list[str] = []
    parts: list[int] = []
    owners: list[int] = []
    starts: list[int] = []
    for number, row in enumerate(rows):
        for part, text in row.texts:
            starts.append(len(words))
            words += split_words(text)
            texts.append(text.lower())
            parts.append(part)
            owners.append(number)
    text_rows, text_starts = np.array(owners, dtype=np.int64), np.array(starts, dtype=np.int64)
    text_sizes = np.diff(text_starts, append=len(words))
    run = Run(
        hashes=hashes.of(words),
        rows=np.repeat(text_rows, text_sizes),
        texts=np.repeat(np.arange(len(texts)), text_sizes),
        places=np.arange(len(words)),
    )
    row_sizes = np.bincount(run.rows, minlength=len(rows))
    return Layout(words, run, texts, np.array(parts, dtype=np.int8), text_rows, text_starts, row_sizes)
