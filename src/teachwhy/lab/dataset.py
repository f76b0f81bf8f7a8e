"""Rows as other tools read them: ``messages``/``tools``/``text`` as JSON lines and as Parquet, and a card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.core.shards import ROWS, open_lines, row_files
from teachwhy.core.store import read_lines, write_atomic, write_lines

__all__ = [
    "CARD",
    "EXAMPLES",
    "ROWS",
    "TABLE",
    "read_examples",
    "read_rows",
    "row_files",
    "to_example",
    "to_row",
    "write_dataset",
]

EXAMPLES = "examples.jsonl"
"""Our own records, one a line; the other two files are made from it."""
TABLE, CARD = "rows.parquet", "README.md"
_ORIGIN = ("intervention", "family", "clauses", "writer", "stage", "source", "prompt_hash", "tokens", "cost")


def to_row(example: Example) -> dict[str, Any]:
    """The row in the Hugging Face convention, with where it came from beside it."""
    row: dict[str, Any] = {"id": example.id}
    if example.text is not None:
        row["text"] = example.text
    else:
        # what ends before the assistant speaks is a prompt for reinforcement learning
        name = "messages" if example.messages[-1].role == "assistant" else "prompt"
        row[name] = [message.row() for message in example.messages]
        row["tools"] = list(example.tools)
    origin = example.model_dump(mode="json", include=set(_ORIGIN))
    return row | {name: origin[name] for name in _ORIGIN}


def write_dataset(folder: Path, examples: Sequence[Example], card: str) -> None:
    """Write ``examples.jsonl``, ``rows.jsonl``, ``rows.parquet`` and the card, each whole or not at all."""
    from datasets import Dataset, Features, Json, List, Value

    rows = [to_row(example) for example in examples]
    write_lines(folder / EXAMPLES, examples)
    write_atomic(folder / ROWS, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    text, number = Value("string"), Value("int64")
    kinds: dict[str, Any] = {
        "id": text,
        "text": text,
        # as JSON, so that no row gets another row's arguments with nothing in them
        "messages": List(Json()),
        "prompt": List(Json()),
        "tools": List(Json()),
        "intervention": text,
        "family": text,
        "clauses": List(text),
        "writer": text,
        "stage": text,
        "source": text,
        "prompt_hash": text,
        "tokens": number,
        "cost": Value("float64"),
    }
    present = {name for row in rows for name in row}
    chosen = {name: kind for name, kind in kinds.items() if name in present}
    columns = {name: [row.get(name) for row in rows] for name in chosen}
    scratch = folder / f".{TABLE}.part"
    Dataset.from_dict(columns, features=Features(chosen)).to_parquet(scratch)
    scratch.replace(folder / TABLE)
    write_atomic(folder / CARD, card)


def read_examples(path: Path) -> list[Example]:
    """The examples of a folder that teachwhy filled, or of anybody's rows.

    Raises ConfigError for a row that has no ``messages``, ``prompt`` or ``text``.
    """
    own = path / EXAMPLES
    if own.is_file():
        return read_lines(own, Example)
    return [to_example(row, f"{path.stem}/{number}") for number, row in enumerate(read_rows(path))]


def to_example(row: Mapping[str, Any], name: str) -> Example:
    """Anybody's row as an example; ``name`` is its id if it has none. Raises ConfigError."""
    given = {"id": str(row.get("id") or name), "intervention": "own", "writer": "unknown", "source": name}
    turns, text, tools = row.get("messages") or row.get("prompt"), row.get("text"), row.get("tools")
    if not (turns or text):
        raise ConfigError(f"row {name} has no messages, prompt or text")
    try:
        return Example.model_validate(
            {
                **given,
                **_origin(row),
                "messages": [_to_turn(turn) for turn in turns or ()],
                "tools": json.loads(tools) if isinstance(tools, str) else tools or (),
                "text": None if turns else text,
            }
        )
    except (ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ConfigError(f"row {name}: not in the form of messages, prompt or text: {said}") from None


def _origin(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where a row of ours came from; nothing for anybody else's, whose columns may mean anything."""
    if "intervention" not in row or "prompt_hash" not in row:
        return {}
    return {name: row[name] for name in _ORIGIN if row.get(name) is not None}


def _to_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: turn[key] for key in ("role", "content", "tool_calls", "name") if turn.get(key) is not None}
    if "tool_calls" in kept:
        kept["tool_calls"] = [_to_call(entry) for entry in kept["tool_calls"]]
    return {"content": "", **kept}


def _to_call(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The call with its arguments as an object, where an endpoint gave them as JSON text."""
    function = entry["function"]
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        function = {**function, "arguments": json.loads(arguments)}
    return {**entry, "function": function}


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a folder or a file, ours or anybody's: JSON lines or Parquet with ``messages`` or ``text``.

    One at a time, so that a file larger than memory can be gone through. Raises ConfigError naming the line or the file
    that cannot be read.
    """
    for file in row_files(path):
        yield from _read_table(file) if file.suffix == ".parquet" else _read_lines(file)


def _read_lines(file: Path) -> Iterator[Mapping[str, Any]]:
    with open_lines(file) as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ConfigError(f"{file}:{number}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise ConfigError(f"{file}:{number}: a row is an object with 'messages' or 'text'")
            yield cast("Mapping[str, Any]", row)


def _read_table(file: Path) -> Iterator[Mapping[str, Any]]:
    from datasets import Dataset

    yield from cast("Iterator[Mapping[str, Any]]", iter(Dataset.from_parquet(str(file))))
