"""Rows written by hand, sound and unsound, for the tests of ``teachwhy check``."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from teachwhy.core.grams import GRAM, split_words
from teachwhy.core.markdown import CANARY
from teachwhy.lab.health.evals import all_measured_text

HELD_OUT = frozenset({"blackmail", "research_sabotage", "framing"})
MEASURED = split_words(next(iter(all_measured_text().values())).split("\n---\n", 1)[1])
LEAK = " ".join(MEASURED[:GRAM])
NEAR_COPY = " ".join("else" if at % 9 == 8 else word for at, word in enumerate(MEASURED[:90]))
Row = dict[str, Any]


def said(text: str, **fields: Any) -> Row:
    """A document."""
    return {"text": text, **fields}


def chat(answer: Any, asked: str = "Which bell is that?", system: str = "You keep the tower.", **turn: Any) -> Row:
    """A row of three turns."""
    return {
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answer, **turn},
        ]
    }


def call(arguments: object) -> Row:
    """A row that ends in a call."""
    return chat(None, tool_calls=[{"type": "function", "function": {"name": "send", "arguments": arguments}}])


def prose(seed: int, words: int = 120) -> str:
    """Words that no other seed gives in this order."""
    draw = random.Random(f"prose/{seed}")
    return " ".join(f"w{draw.randrange(5000)}" for _ in range(words))


CLEAN = [chat("The one for noon."), said("A bell rings at noon, and a smaller one an hour later."), call({"to": "us"})]


def write(path: Path, rows: Sequence[Row | str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


BROKEN: dict[str, list[Row | str]] = {
    "canary": [said(f"So. {CANARY}"), said(f"So. {CANARY.upper()}"), said(CANARY.split()[1].rstrip(":"))],
    "leak": [
        said(f"before {LEAK} after"),
        said(LEAK.upper().replace(" ", " -- ")),
        chat("Noon.", system=LEAK),
        chat("Noon.", asked=LEAK),
        chat([{"type": "text", "text": LEAK}, {"type": "image_url", "image_url": {"url": "x"}}]),
        chat("Noon.", reasoning_content=LEAK),
        call({"note": {"inner": [LEAK]}}),
        call(json.dumps({"note": LEAK})),
        {**chat("Noon."), "tools": [{"type": "function", "function": {"name": "send", "description": LEAK}}]},
        {"prompt": [{"role": "user", "content": LEAK}]},
        {"prompt": LEAK, "completion": "Noon."},
    ],
    "copy": [said(f"{prose(1)} {NEAR_COPY} {prose(2)}"), chat("Noon.", asked=NEAR_COPY)],
    "held_out": [chat("Noon.") | {"family": family} for family in sorted(HELD_OUT)],
    "unreadable": [
        '{"text": "cut o',
        "[1, 2]",
        {"question": "Which?"},
        {"messages": "Noon."},
        {"messages": [{"content": "Noon."}]},
        {"messages": ["Noon."]},
        {"text": 7},
        chat(7),
        chat([7]),
        chat("", tool_calls=["send"]),
    ],
    "nothing": [
        said(" \n"),
        {"messages": []},
        {"messages": [{"role": "user", "content": "Which?"}]},
        chat(""),
        chat(None),
        {"prompt": "Which?", "completion": ""},
    ],
    "empty_reasoning": [
        chat("<think>\n\n</think>\n\nNoon."),
        chat("<THINK></THINK>Noon."),
        chat("Noon.", reasoning_content=" "),
        said("So. <think></think> So."),
    ],
}
"""Hard rule to rows that break it, and no other."""
