"""The health of some rows as one record: every figure that is shown, and those that only the JSON file holds."""

from __future__ import annotations

from pydantic import Field

from teachwhy.core.records import Record

RULES = {
    "canary": "carry the canary of measured text",
    "leak": "share 13 words in a row with measured text",
    "copy": "are near copies of measured text",
    "held_out": "come from a held-out family",
    "unreadable": "cannot be read",
    "nothing": "have nothing to train on",
    "empty_reasoning": "hold reasoning with nothing in it",
}
"""Hard rule to what is said of the rows that break it."""


class Found(Record):
    """Something that was found in a row."""

    row: str
    what: str


class Breach(Record):
    """A hard rule that is broken, and every row that breaks it."""

    rule: str
    about: str
    rows: tuple[Found, ...]


class Counted(Record):
    """A label and how many rows have it."""

    what: str
    rows: int
    per_10k: float
    """In 10,000 rows."""
    expected: int = 0
    """How many of the rows are meant to have it."""


class Alike(Record):
    """Two rows that nearly say the same."""

    first: str
    second: str
    similarity: float


class Duplicates(Record):
    """Rows that are the same, and rows that nearly are."""

    exact_groups: tuple[tuple[str, ...], ...] = ()
    exact_surplus: int = 0
    """Rows that could go without a loss."""
    near_groups: int = 0
    near_rows: int = 0
    near_surplus: int = 0
    largest_near_group: int = 0
    near_pairs: tuple[Alike, ...] = ()
    """Enough pairs to join every group, the most alike first."""


class Distinct(Record):
    """Distinct-n: how many runs of n words there are for each that is written."""

    n: int
    runs: int
    distinct: int
    share: float
    sampled: bool = False
    """Whether ``distinct`` is estimated from a sample of the runs."""


class Diversity(Record):
    """How varied is what the rows train on. Shares fall with the size of a set: compare sets of one size."""

    distinct: tuple[Distinct, ...]
    texts: int
    distinct_openings: float
    """Share of the texts' first five words that are distinct."""
    openings: tuple[Counted, ...]
    compression: float
    """Bytes of text for each byte that zlib makes of it, in pieces of 256 KiB."""


class Lengths(Record):
    """How long rows are."""

    unit: str
    """``tokens`` where every row says them, ``words`` where none does."""
    total: int
    smallest: int
    quartiles: tuple[int, int, int]
    p95: int
    largest: int
    max_length: int | None = None
    above: int = 0
    """Rows longer than ``max_length``."""


class Clauses(Record):
    """Which clauses of the constitution rows bear on."""

    rows: dict[str, int]
    without_rows: tuple[str, ...]
    unknown: tuple[str, ...]
    """Clauses that rows name and the constitution lacks."""


class Health(Record):
    """All that the check found."""

    rows: int
    files: tuple[str, ...]
    interventions: dict[str, int]
    conflict: int
    """Rows that contradict the constitution on purpose."""
    prompts: int
    """Rows for reinforcement learning: a prompt and nothing to train on."""
    measured_files: int
    breaches: tuple[Breach, ...]
    duplicates: Duplicates
    diversity: Diversity
    stock: tuple[Counted, ...]
    common_runs: tuple[Counted, ...]
    empty_turns: int
    testing: tuple[Counted, ...]
    rows_on_testing: int
    rows_on_testing_expected: int
    lengths: Lengths
    clauses: Clauses | None = None
    """None where no row names a clause."""
    notes: dict[str, tuple[Found, ...]] = Field(default_factory=dict[str, tuple[Found, ...]])
    """Some rows worth a look, by what is to be looked at."""
    preview: tuple[str, ...] = ()
    """Some rows as the model reads them, what is trained on between ⟦ and ⟧."""

    @property
    def fit(self) -> bool:
        """Whether no hard rule is broken."""
        return not self.breaches
