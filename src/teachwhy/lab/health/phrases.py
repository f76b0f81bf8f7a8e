"""Lists of phrases, kept as YAML beside this module, and which rows hold which of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np

from teachwhy.core.errors import ConfigError
from teachwhy.core.grams import Lookup, WordHashes, roll, split_words, unbroken
from teachwhy.core.markdown import load_mapping
from teachwhy.lab.health.layout import Run

_FOLDER = Path(__file__).parent
_APOSTROPHES = str.maketrans("’‘", "''")


@dataclass(frozen=True)
class Phrase:
    """A phrase as it is listed."""

    group: str
    name: str
    near: tuple[str, ...]
    """Words in a row, one of which a row must hold."""
    regex: re.Pattern[str] | None = None
    """What it must hold besides."""


class Phrases:
    """A list of phrases, made ready to be looked for."""

    def __init__(self, phrases: tuple[Phrase, ...]) -> None:
        self.phrases = phrases
        hashes = WordHashes()
        by_size: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, phrase in enumerate(phrases):
            for near in phrase.near:
                words = split_words(near)
                by_size[len(words)].append((int(roll(hashes.of(words), len(words))[0]), number))
        self._sizes = {size: _Known(pairs) for size, pairs in by_size.items()}

    def find(self, run: Run, text_of: Callable[[int], str]) -> Iterator[tuple[int, int]]:
        """(row, number of the phrase), each pair once, in order; a phrase stands within one text of a row.

        ``text_of`` gives a row's text in lower case, for phrases with a regex.
        """
        found: set[tuple[int, int]] = set()
        for size, known in self._sizes.items():
            at, places = known.lookup.find(roll(run.hashes, size))
            whole = unbroken(run.texts, size)[at]
            pairs = set(zip(run.rows[at[whole]].tolist(), places[whole].tolist(), strict=True))
            for row, place in cast("set[tuple[int, int]]", pairs):
                found.update((row, number) for number in known.numbers[place])
        for row, number in sorted(found):
            regex = self.phrases[number].regex
            if regex is None or regex.search(text_of(row).translate(_APOSTROPHES)):
                yield row, number


class _Known:
    """The phrases of one length."""

    numbers: list[list[int]]
    """The phrases of each key of the lookup."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        self.lookup = Lookup(np.array([key for key, _ in pairs], dtype=np.uint64))
        named: dict[int, list[int]] = defaultdict(list)
        for key, number in pairs:
            named[key].append(number)
        self.numbers = [named[int(key)] for key in self.lookup.keys]


@cache
def stock_phrases() -> Phrases:
    """The stock phrases of language models: ``tics.yaml``."""
    return load_phrases(_FOLDER / "tics.yaml")


@cache
def mentions_of_testing() -> Phrases:
    """What speaks of tests and evaluations: ``testing.yaml``."""
    return load_phrases(_FOLDER / "testing.yaml")


def load_phrases(path: Path) -> Phrases:
    """Read a list: group to entries, each a phrase, or ``name``, ``near`` and ``regex``. Raises ConfigError."""
    listed = load_mapping(path.read_text(encoding="utf-8"), path.name)
    return Phrases(tuple(_read(group, entry, path.name) for group, entries in listed.items() for entry in entries))


def _read(group: str, entry: object, where: str) -> Phrase:
    if isinstance(entry, str) and split_words(entry):
        return Phrase(group, entry, (entry,))
    try:
        given = cast("dict[str, object]", entry)
        near = tuple(cast("list[str]", given["near"]))
        return Phrase(group, str(given["name"]), near, re.compile(str(given["regex"])))
    except (KeyError, TypeError, re.error) as error:
        raise ConfigError(
            f"{where}: {group}: no phrase: {entry!r}; write words, or name, near and regex ({error})"
        ) from None
