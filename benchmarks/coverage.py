"""How long it takes to describe many rows along the axes of a diagnosis, by rules, and what memory it needs.

python benchmarks/coverage.py [ROWS ...], such as 1000000; 10000 and 100000 by default

The rows are those of benchmarks/check.py, of made-up words, with sentences of the project's own training rows strewn
among them: made-up words hold no phrase that a rule looks for, and would be described for too little.

Expect, on two cores of an AMD EPYC: a million rows (350M tokens, 1.80 GB) in 246 s of CPU in two processes and 0.18 GiB
in all of them together; 865 s on the clock at a load of 11 to 16.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from check import Writer, watch

from teachwhy.interventions.library.shelf import advice_dialogues, everyday_chats, ordinary_work, training_scenes
from teachwhy.worlds.opening import turns_to_decision

REAL = 3
"""Of so many rows one is of real sentences throughout; of the others a system prompt is real."""
FAMILIES = ("credential_misuse", "falsified_records", "leaking", "oversight_evasion", "self_preservation")
DESCRIBE = """
import json, sys
from pathlib import Path
from teachwhy.diagnosis.coverage import cover
found = cover([Path(sys.argv[1])], workers=int(sys.argv[2]))
print(json.dumps({share.axis: share.share for share in found.shares if share.level == "yes"} | {"rows": found.rows}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as scratch:
            measure(rows, Path(scratch), given.workers)


def measure(rows: int, folder: Path, workers: int) -> None:
    tokens = write(rows, folder / "rows.jsonl")
    size = (folder / "rows.jsonl").stat().st_size
    used, begun, load = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), os.getloadavg()[0]
    command = [sys.executable, "-c", DESCRIBE, str(folder), str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 (our own command line)
    peak = watch(process)
    took = time.perf_counter() - begun
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(f"{rows} rows, {tokens / 1e6:.1f}M tokens, {size / 1e9:.2f} GB, {workers} processes, load {load:.1f} before")
    a_million = f"a million rows: {cpu / rows * 1e6:.0f} s of CPU"
    print(f"  {took:.1f} s, {cpu:.1f} s of CPU, peak {peak / 2**30:.2f} GiB; {a_million}")
    if process.returncode or process.stdout is None:
        raise SystemExit("it failed")
    found = json.loads(process.stdout.read())
    print("  " + ", ".join(f"{axis} {share:.1%}" for axis, share in found.items() if axis != "rows"))


def write(rows: int, file: Path) -> int:
    """Write so many rows; the tokens in them."""
    draw, tokens = random.Random("coverage"), 0
    sentences = real_sentences()
    with file.open("w", encoding="utf-8") as lines:
        for number, row in enumerate(Writer().rows(rows)):
            tokens += row["tokens"]
            lines.write(json.dumps(salt(row, number, sentences, draw)) + "\n")
    return tokens


def salt(row: dict[str, Any], number: int, sentences: list[str], draw: random.Random) -> dict[str, Any]:
    """A row with real sentences in it; all of it real for one in ``REAL``, at about the same length."""
    if "messages" in row:
        row["messages"][0]["content"] = " ".join(draw.choices(sentences, k=3))
    if number % REAL:
        return row
    if "text" in row:
        return row | {"text": like(row["text"], sentences, draw)}
    for turn in row["messages"][1:]:
        turn["content"] = like(turn["content"], sentences, draw)
    return row


def like(text: str, sentences: list[str], draw: random.Random) -> str:
    """Real sentences as long as a text."""
    parts, held = list[str](), 0
    while held < len(text):
        parts.append(draw.choice(sentences))
        held += len(parts[-1]) + 1
    return " ".join(parts)


def real_sentences() -> list[str]:
    """Sentences of scenes, work, advice and chats, as they are trained on."""
    staged = [*training_scenes(FAMILIES), *ordinary_work()]
    scenes = [turn.content for scene in staged for turn in turns_to_decision(scene)]
    advice = [turn.content for row in advice_dialogues() for turn in row.messages]
    chats = [text for talk in everyday_chats() for text in (talk.user, talk.assistant)]
    return sorted({part.strip() for text in [*scenes, *advice, *chats] for part in text.split(". ") if part.strip()})


if __name__ == "__main__":
    main()
