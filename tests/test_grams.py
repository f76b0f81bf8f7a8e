"""Runs of words as numbers, held against what is plainly right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teachwhy.core.grams import GRAM, Lookup, WordHashes, distinct, fold, roll, unbroken
from teachwhy.lab.health.leakage import Measured

TEXTS = st.lists(st.lists(st.sampled_from("ab"), max_size=20), max_size=6)


@given(TEXTS, st.integers(1, 14))
def test_equal_runs_have_equal_numbers_and_others_do_not(texts: list[list[str]], size: int):
    words = [word for text in texts for word in text]
    owners = np.array([owner for owner, text in enumerate(texts) for _ in text], dtype=np.int64)
    numbers = roll(WordHashes().of(words), size)[unbroken(owners, size)]
    runs = [tuple(text[at : at + size]) for text in texts for at in range(len(text) - size + 1)]
    assert len(numbers) == len(runs)
    pairs = set(zip(runs, numbers.tolist(), strict=True))
    assert len(pairs) == len(set(runs)) == len(set(numbers.tolist()))


@given(st.lists(st.text(max_size=3), max_size=30), st.integers(1, 5))
def test_a_run_has_the_number_that_its_words_alone_give(words: list[str], size: int):
    base, modulus = 0x9E3779B97F4A7C15, 1 << 64
    hashes = WordHashes().of(words)
    for at, number in enumerate(roll(hashes, size).tolist()):
        naive = 0
        for value in hashes[at : at + size].tolist():
            naive = (naive * base + value) % modulus
        assert number == naive


@given(TEXTS)
def test_whole_texts_have_equal_numbers_exactly_when_they_are_equal(texts: list[list[str]]):
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    numbers = fold(WordHashes().of([word for text in texts for word in text]), sizes).tolist()
    for text, number in zip(texts, numbers, strict=True):
        for other, its in zip(texts, numbers, strict=True):
            assert (text == other) == (number == its)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_a_lookup_finds_what_is_in_it(known: list[int], asked: list[int]):
    asked += known[::2]
    lookup = Lookup(np.array(known, dtype=np.uint64))
    at, places = lookup.find(np.array(asked, dtype=np.uint64))
    assert at.tolist() == [place for place, value in enumerate(asked) if value in known]
    assert lookup.keys[places].tolist() == [asked[place] for place in at]
    assert distinct(np.array(asked, dtype=np.uint64)).tolist() == sorted(set(asked))


@given(st.lists(st.sampled_from("ab"), max_size=40), st.lists(st.lists(st.sampled_from("ab"), max_size=30), max_size=4))
def test_leaks_are_found_as_by_comparing_every_run(measured: list[str], rows: list[list[str]]):
    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}

    words = [word for row in rows for word in row]
    owners = np.array([number for number, row in enumerate(rows) for _ in row], dtype=np.int64)
    known = Measured({"file.md": " ".join(measured)})
    found = [leak.row for leak in known.leaks(words, WordHashes().of(words), owners)]
    assert found == [number for number, row in enumerate(rows) if runs(row) & runs(measured)]
    for row in rows:
        assert (known.leak(" ".join(row)) is not None) == bool(runs(row) & runs(measured))


def test_words_that_run_from_one_row_into_the_next_are_no_leak():
    words = [f"w{at}" for at in range(GRAM + 2)]
    known, hashes = Measured({"file.md": " ".join(words)}), WordHashes().of(words)
    for cut in range(len(words)):
        rows = np.repeat([0, 1], [cut, len(words) - cut])
        longest = max(cut, len(words) - cut)
        assert len(list(known.leaks(words, hashes, rows))) == (longest >= GRAM)


@pytest.mark.parametrize(("every", "found"), [(13, True), (10, True), (8, True), (6, False), (5, False)])
def test_a_passage_is_known_again_with_every_eighth_word_changed_and_not_with_every_sixth(every: int, found: bool):
    measured = [f"w{at}" for at in range(100)]
    copied = ["else" if at % every == every - 1 else word for at, word in enumerate(measured)]
    words = [*(f"before{at}" for at in range(50)), *copied, *(f"after{at}" for at in range(50))]
    rows = np.full(len(words), 3)
    copies = list(Measured({"file.md": " ".join(measured)}).copies(WordHashes().of(words), rows))
    assert [(copy.row, copy.file) for copy in copies] == ([(3, "file.md")] if found else [])


def test_twelve_words_in_a_row_are_no_near_copy():
    measured = [f"w{at}" for at in range(100)]
    hashes = WordHashes().of(measured[30:42])
    assert not list(Measured({"file.md": " ".join(measured)}).copies(hashes, np.zeros(12, dtype=np.int64)))
