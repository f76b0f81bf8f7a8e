"""Rows in the form of a trainer that does not read ours: ``teachwhy export DIR --to verl``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Example, Message
from teachwhy.lab.dataset import read_examples


def export(rows: Path, form: str, out: Path) -> int:
    """Write the rows at a path in another form into one file; how many there are.

    Raises ConfigError for a form that is not known, and for rows that it cannot hold.
    """
    if form not in FORMS:
        raise ConfigError(f"unknown form {form!r}; {guess(form, FORMS)}")
    if out.suffix != ".parquet":
        raise ConfigError(f"{out} would be a Parquet file; let its name end in .parquet")
    examples = read_examples(rows)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = out.with_name(f".{out.name}.part")
    FORMS[form](examples, scratch)
    scratch.replace(out)
    return len(examples)


def _to_verl(examples: Sequence[Example], file: Path) -> None:
    """Verl's columns: ``prompt`` and ``reward_model`` for reinforcement learning, ``messages`` for supervised training.

    Arguments of calls and tools are JSON text there, since a Parquet struct would give every call the arguments of all
    others, with nothing in them; ``extra_info.tools`` holds the tools of a row.
    """
    from datasets import Dataset, Features, List, Value

    text = Value("string")
    called = {"type": text, "function": {"name": text, "arguments": text}}
    turns = List({"role": text, "content": text, "name": text, "tool_calls": List(called)})
    about = {"index": Value("int64"), "id": text, "split": text, "tools": text, "clauses": List(text), "writer": text}
    features = Features(
        {
            "data_source": text,
            "prompt": turns,
            "messages": turns,
            "ability": text,
            "reward_model": {"style": text, "ground_truth": text},
            "extra_info": about,
        }
    )
    rows = [_verl_row(number, example) for number, example in enumerate(examples)]
    Dataset.from_list(rows, features=features).to_parquet(file)


def _verl_row(number: int, example: Example) -> dict[str, Any]:
    if not example.messages:
        raise ConfigError(f"row {example.id} is a document, and verl trains on chats; export the chat form (as=chat)")
    last = example.messages[-1]
    asked = example.messages[:-1] if last.role == "assistant" else example.messages
    answer = last.content if last.role == "assistant" else ""
    return {
        "data_source": f"teachwhy/{example.intervention}",
        "prompt": [_verl_turn(turn) for turn in asked],
        "messages": [_verl_turn(turn) for turn in example.messages],
        "ability": "alignment",
        "reward_model": {"style": "rule", "ground_truth": answer},
        "extra_info": {
            "index": number,
            "id": example.id,
            "split": "train",
            "tools": json.dumps(list(example.tools), ensure_ascii=False),
            "clauses": list(example.clauses),
            "writer": example.writer,
        },
    }


def _verl_turn(turn: Message) -> dict[str, Any]:
    calls = [
        {
            "type": "function",
            "function": {
                "name": entry["function"]["name"],
                "arguments": json.dumps(entry["function"]["arguments"], ensure_ascii=False),
            },
        }
        for entry in turn.tool_calls
    ]
    return {"role": turn.role, "content": turn.content, "name": turn.name, "tool_calls": calls or None}


FORMS: dict[str, Callable[[Sequence[Example], Path], None]] = {"verl": _to_verl}
"""Name to what writes the file."""
