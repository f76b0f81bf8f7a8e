"""How long ``teachwhy check`` takes over many rows, what memory it needs, and whether it finds what was planted.

python benchmarks/check.py [ROWS ...], such as 1000000; 10000 and 100000 by default

Expect, on two cores of an AMD EPYC: a million rows (350M tokens, 1.65 GB) in 164 s, 144 s of CPU, 1.4 GiB in all
processes together, and everything that was planted found.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from teachwhy.core.grams import GRAM, split_words
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.lab.health.leakage import SHINGLE

VOCABULARY = 50_000
WORDS = 260
TOKENS_PER_WORD = 1.35
SHARES = {"exact": 0.005, "near": 0.005, "leak": 0.002, "copy": 0.0005}
SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "ar", "en", "il")]


@dataclass
class Planted:
    """What is to be found: ids."""

    exact: set[str] = field(default_factory=set[str])
    near: dict[str, float] = field(default_factory=dict[str, float])
    """With the similarity to the row that it was made from."""
    leak: set[str] = field(default_factory=set[str])
    copy: set[str] = field(default_factory=set[str])


class Writer:
    """Rows of words drawn by rank, the same for the same number of rows."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(20)
        ranks = np.arange(VOCABULARY)
        weights = 1.0 / (ranks + 2.7) ** 1.05
        self.edges = np.cumsum(weights) / weights.sum()
        words = [_word(rank) for rank in range(VOCABULARY)]
        self.words = np.array([*words, *(f"{word}." for word in words)], dtype=object)
        self.measured = [split_words(text.split("\n---\n", 1)[-1]) for text in all_measured_text().values()]
        self.pool: list[tuple[str, list[str]]] = []
        self.planted = Planted()

    def rows(self, count: int) -> Iterator[dict[str, Any]]:
        """Rows, some of which are or hold what is to be found."""
        kinds = self.random.choice(
            [*SHARES, "plain"], size=count, p=[*SHARES.values(), 1 - sum(SHARES.values())]
        ).tolist()
        sizes = np.clip(self.random.lognormal(np.log(WORDS) - 0.125, 0.5, size=count), 60, 1500).astype(int)
        for number, (kind, size) in enumerate(zip(kinds, sizes.tolist(), strict=True)):
            yield self._row(f"row-{number}", number, self._said(f"row-{number}", kind, size))

    def _said(self, name: str, kind: str, size: int) -> list[str]:
        if kind in ("exact", "near") and self.pool:
            _, words = self.pool.pop(int(self.random.integers(len(self.pool))))
            return self._repeat(name, kind, words)
        drawn = np.searchsorted(self.edges, self.random.random(size)) + VOCABULARY * (self.random.random(size) < 1 / 14)
        words: list[str] = self.words[np.minimum(drawn, 2 * VOCABULARY - 1)].tolist()
        if kind == "leak":
            self.planted.leak.add(name)
            words[size // 2 : size // 2] = self._passage(int(self.random.integers(GRAM, 40)))
        elif kind == "copy":
            self.planted.copy.add(name)
            passage = self._passage(80)
            passage[8::10] = words[: len(passage[8::10])]
            words[size // 2 : size // 2] = passage
        elif self.random.random() < 3 * (SHARES["exact"] + SHARES["near"]):
            self.pool.append((name, words))
        return words

    def _repeat(self, name: str, kind: str, words: list[str]) -> list[str]:
        if kind == "exact":
            self.planted.exact.add(name)
            return words
        changed = list(words)
        for at in self.random.integers(len(words), size=int(self.random.integers(1, max(2, len(words) // 45)))):
            changed[at] = f"changed{at}"
        self.planted.near[name] = _similarity(words, changed)
        return changed

    def _passage(self, size: int) -> list[str]:
        words = self.measured[int(self.random.integers(len(self.measured)))]
        start = int(self.random.integers(max(len(words) - size, 1)))
        return words[start : start + size]

    def _row(self, name: str, number: int, words: list[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"id": name, "tokens": round(len(words) * TOKENS_PER_WORD)}
        # an exact duplicate is of the same form as its source: the form hangs on the words
        if len(words[0]) % 2:
            return row | {"text": " ".join(words)}
        asked, answered = " ".join(words[:20]), " ".join(words[20:])
        return row | {
            "messages": [
                {"role": "system", "content": "You are a helpful assistant who answers in a few words."},
                {"role": "user", "content": asked},
                {"role": "assistant", "content": answered},
            ]
        }


def _word(rank: int) -> str:
    parts: list[str] = []
    rank += len(SYLLABLES)
    while rank:
        rank, at = divmod(rank, len(SYLLABLES))
        parts.append(SYLLABLES[at])
    return "".join(parts)


def _similarity(one: Sequence[str], other: Sequence[str]) -> float:
    sets = [
        {" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}
        for words in (split_words(" ".join(one)), split_words(" ".join(other)))
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    for rows in parser.parse_args().rows:
        with tempfile.TemporaryDirectory() as scratch:
            measure(rows, Path(scratch), parser.parse_args().workers)


def measure(rows: int, folder: Path, workers: int) -> None:
    writer = Writer()
    words = Counter[str]()
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for row in writer.rows(rows):
            words["tokens"] += row["tokens"]
            file.write(json.dumps(row) + "\n")
    size = (folder / "rows.jsonl").stat().st_size
    found = folder / "found.json"
    options = ["--json", str(found), "--preview", "0", "--workers", str(workers)]
    command = [sys.executable, "-c", "from teachwhy.cli import main; main()", "check", str(folder), *options]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 (our own command line)
    peak = watch(process)
    took = time.perf_counter() - begun
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(f"{rows} rows, {words['tokens'] / 1e6:.1f}M tokens, {size / 1e9:.2f} GB, {workers} processes")
    print(f"  {took:.1f} s, {cpu:.1f} s of CPU, peak {peak / 2**30:.2f} GiB; a million rows: {took / rows * 1e6:.0f} s")
    verify(writer.planted, json.loads(found.read_text(encoding="utf-8")))


def watch(process: subprocess.Popen[bytes]) -> int:
    """The most memory that a process and its workers held together, looked at ten times a second."""
    peak = 0
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        held = 0
        try:
            for one in [parent, *parent.children(recursive=True)]:
                held += one.memory_info().rss
        except psutil.NoSuchProcess:
            pass
        peak = max(peak, held)
        time.sleep(0.1)
    return peak


def verify(planted: Planted, health: dict[str, Any]) -> None:
    """Print how much of what was planted was found, and what was found besides."""
    broken = {breach["rule"]: {found["row"] for found in breach["rows"]} for breach in health["breaches"]}
    leaks, copies = broken.pop("leak", set[str]()), broken.pop("copy", set[str]())
    exact = {row for group in health["duplicates"]["exact_groups"] for row in group[1:]}
    near = {row for pair in health["duplicates"]["near_pairs"] for row in (pair["first"], pair["second"])}
    alike = {row for row, similarity in planted.near.items() if similarity >= 0.8}  # noqa: PLR2004
    tell("leaked runs of 13 words", planted.leak, leaks, planted.leak)
    tell("near copies of measured text", planted.copy, copies, planted.copy | planted.leak)
    tell("exact duplicates", planted.exact, exact, planted.exact)
    tell("near duplicates", alike, near, None)
    if broken:
        print(f"  besides, and wrongly: {broken}")


def tell(what: str, planted: set[str], found: set[str], right: set[str] | None) -> None:
    recall = len(planted & found) / max(len(planted), 1)
    wrong = "" if right is None else f", {len(found - right)} wrongly"
    print(f"  {what}: {len(planted)} planted, {recall:.2%} found{wrong}")


if __name__ == "__main__":
    main()
