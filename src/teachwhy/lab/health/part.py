"""What a piece of the rows holds: figures and small arrays that add up with those of other pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teachwhy.core.grams import Hashes, Numbers, distinct

Signatures = npt.NDArray[np.uint32]

ORDERS = (1, 2, 3)
"""The n of distinct-n."""
_NOTES = 20


class Finding(NamedTuple):
    """Something found in a row."""

    rule: str
    row: str
    what: str


@dataclass
class Part:
    """What was found in some rows, in their order."""

    numbers: Numbers
    """The number of each row in its file."""
    whole: Hashes
    """Stands for all the words of a row, so that equal rows are equal; 0 where there are none."""
    signatures: Signatures
    """MinHash of each row's talk; all bits set where it is too short for any shingle."""
    lengths: Numbers
    """In tokens where the row says them, else in words."""
    openings: Hashes
    """One for each text that the model is taught to say."""
    grams: tuple[Hashes, ...]
    """The distinct runs of each of ORDERS words that are trained on, or a sample of them."""
    gram_totals: Numbers
    """How many runs there are of each, repeats among them."""
    counts: Counter[str] = field(default_factory=Counter[str])
    labels: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    """Rows by label: intervention, clause, common opening, common run of words, stock phrase, mention of testing."""
    breaches: list[Finding] = field(default_factory=list[Finding])
    """Broken hard rules, all of them."""
    notes: list[Finding] = field(default_factory=list[Finding])
    """What is worth a look, a few of each kind."""


def merge(parts: Sequence[Part]) -> Part:
    """The parts, in this order, as one."""
    labels: dict[str, Counter[str]] = {}
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
        for name, counter in part.labels.items():
            labels.setdefault(name, Counter()).update(counter)
    return Part(
        numbers=np.concatenate([part.numbers for part in parts]),
        whole=np.concatenate([part.whole for part in parts]),
        signatures=np.concatenate([part.signatures for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
        openings=np.concatenate([part.openings for part in parts]),
        grams=tuple(distinct(np.concatenate([part.grams[at] for part in parts])) for at in range(len(ORDERS))),
        gram_totals=np.sum([part.gram_totals for part in parts], axis=0),
        counts=counts,
        labels=labels,
        breaches=[finding for part in parts for finding in part.breaches],
        notes=few(finding for part in parts for finding in part.notes),
    )


def few(notes: Iterable[Finding]) -> list[Finding]:
    """The first notes of each kind."""
    seen: Counter[str] = Counter()
    kept: list[Finding] = []
    for note in notes:
        seen[note.rule] += 1
        if seen[note.rule] <= _NOTES:
            kept.append(note)
    return kept
