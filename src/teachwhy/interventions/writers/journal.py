"""Every answer of a writer, on disk before the next is asked for: nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Message, Record
from teachwhy.interventions.writers.roles import Role


class Answer(Record):
    """One answer of one model, and all it depends on."""

    key: str
    """Stands for the model, the turns, the tools, the settings and the number of the sample."""
    role: Role
    model: str
    prompt: str
    """Name of the prompt: intervention and stage."""
    prompt_hash: str
    parents: tuple[str, ...] = ()
    """Keys of the answers that it was made from."""
    text: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    stop: str = "stop"
    reads: int = 0
    """Tokens."""
    writes: int = 0
    """Tokens."""
    cost: float = 0.0
    """US dollars, where the price is known."""

    @property
    def stage(self) -> str:
        """The stage that it was asked for at."""
        return self.prompt.rpartition("/")[2]

    def turn(self) -> Message:
        """The answer as the turn of a row."""
        return Message(role="assistant", content=self.text, tool_calls=self.tool_calls)


def credit(last: Answer, spent: Sequence[Answer]) -> dict[str, Any]:
    """Where a row comes from, as its fields: the answer that gave it its form, and what was paid for it alone."""
    return {
        "writer": last.model,
        "source": last.key,
        "stage": last.stage,
        "prompt_hash": last.prompt_hash,
        "cost": sum(answer.cost for answer in spent),
    }


class Journal:
    """``answers.jsonl``: appended to as answers come, read at the start; a line cut off by a crash is forgotten."""

    def __init__(self, path: Path) -> None:
        self.answers, kept = read_answers(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(kept)

    def add(self, answer: Answer) -> None:
        """Keep an answer: it is with the operating system before this returns, so a kill cannot lose it."""
        self.answers[answer.key] = answer
        self._file.write(answer.to_line().encode() + b"\n")
        self._file.flush()

    def ancestry(self, key: str) -> list[tuple[int, Answer]]:
        """An answer and all it was made from, depth first, as (depth, answer); each once."""
        seen: set[str] = set()
        found: list[tuple[int, Answer]] = []

        def visit(at: str, depth: int) -> None:
            answer = self.answers.get(at)
            if answer is None or at in seen:
                return
            seen.add(at)
            found.append((depth, answer))
            for parent in answer.parents:
                visit(parent, depth + 1)

        visit(key, 0)
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_answers(path: Path) -> tuple[dict[str, Answer], int]:
    """The whole answers of a file by key, and the number of bytes that they take; none where there is no file.

    Raises ConfigError naming a line that is whole and no answer.
    """
    answers: dict[str, Answer] = {}
    kept = 0
    if not path.exists():
        return answers, kept
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            try:
                answer = Answer.model_validate_json(line)
            except ValidationError:
                raise ConfigError(f"{path}:{number}: not an answer; take the line out and run again") from None
            answers[answer.key] = answer
            kept += len(line)
    return answers, kept
