"""Labelled transcripts, one Markdown file each: what judges are measured against."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, ValidationError

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import CANARY, split_front_matter
from teachwhy.core.records import Message, Record

GOLD = Path(__file__).parent
DIMENSIONS = ("harmful", "decided", "aware", "refused", "progress")
SMALLEST_SHARE = 0.35
"""Of the rarer of the two labels in a dimension: with fewer, one of sensitivity and specificity says nothing."""
BALANCED_FROM = 10
"""Files of a dimension from which the shares are looked at."""

_HEADING = re.compile(r"^## *(.*?)\s*$", re.MULTILINE)
_CALL = re.compile(r"^call:(.*)$")
_ROLES = ("system", "user", "assistant", "tool")

Label = Literal["yes", "no", "unclear"]


class Gold(Record):
    """One labelled transcript."""

    id: str
    """The file's stem."""
    dimension: Literal["harmful", "decided", "aware", "refused", "progress"]
    label: Label
    by: str = Field(min_length=1)
    """Who labelled it."""
    why: str = Field(min_length=1)
    messages: tuple[Message, ...]

    @property
    def value(self) -> float | None:
        """The label as a judge's value; None where a judge should say that it is unclear."""
        return {"yes": 1.0, "no": 0.0, "unclear": None}[self.label]


def load_gold(folder: Path = GOLD, dimension: str | None = None) -> list[Gold]:
    """All labelled transcripts, ``<folder>/<dimension>/<id>.md``, in the order of their names.

    Raises ConfigError, naming the file, for one that is not in the form, and for an id that stands twice.
    """
    if dimension is not None and dimension not in DIMENSIONS:
        raise ConfigError(f"no dimension {dimension!r} has labelled transcripts; {guess(dimension, DIMENSIONS)}")
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if path.is_dir() and path.name not in (*DIMENSIONS, "__pycache__"):
            raise ConfigError(f"{folder.name}/{path.name}: no such dimension; {guess(path.name, DIMENSIONS)}")
    found = [read_gold(path) for name in DIMENSIONS for path in sorted((folder / name).glob("*.md"))]
    twice = [name for name, count in Counter(gold.id for gold in found).items() if count > 1]
    if twice:
        raise ConfigError(f"{folder.name}: the id {twice[0]!r} stands twice; rename one of the files")
    return [gold for gold in found if dimension in (None, gold.dimension)]


def imbalances(golds: Sequence[Gold]) -> list[str]:
    """What is wrong with the shares of labels, one line a dimension; empty if nothing is."""
    said: list[str] = []
    for dimension in DIMENSIONS:
        labels = Counter(gold.label for gold in golds if gold.dimension == dimension)
        total = labels.total()
        said.extend(
            f"{dimension}: {labels[label]} of {total} are {label!r}; at least {SMALLEST_SHARE:.0%} should be"
            for label in cast("tuple[Label, Label]", ("yes", "no"))
            if total >= BALANCED_FROM and labels[label] < SMALLEST_SHARE * total
        )
    return said


def read_gold(path: Path) -> Gold:
    """One labelled transcript; ConfigError in one line for a file that is not in the form."""
    where = f"{path.parent.name}/{path.name}"
    text = path.read_text(encoding="utf-8")
    front, body = split_front_matter(text, where)
    if f"# {CANARY}\n" not in text.partition("\n---\n")[0] + "\n":
        raise ConfigError(f"{where}: no canary; the front matter must begin with '# {CANARY}'")
    if isinstance(front.get("label"), bool):  # YAML reads yes and no so
        front["label"] = "yes" if front["label"] else "no"
    try:
        gold = Gold.model_validate({**front, "messages": _turns(body, where)})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if gold.dimension != path.parent.name or gold.id != path.stem:
        raise ConfigError(f"{where}: says it is {gold.dimension}/{gold.id}; folder and file must be called so")
    return gold


def _turns(body: str, where: str) -> list[Message]:
    marks = list(_HEADING.finditer(body))
    if body[: marks[0].start() if marks else None].strip():
        raise ConfigError(f"{where}: text before the first turn; begin with '## system' or '## user'")
    ends = [*(mark.start() for mark in marks[1:]), len(body)]
    turns = [_turn(mark.group(1), body[mark.end() : end], where) for mark, end in zip(marks, ends, strict=True)]
    _check_order(turns, where)
    return turns


def _turn(role: str, text: str, where: str) -> Message:
    if role not in _ROLES:
        raise ConfigError(f"{where}: no turn is called {role!r}; {guess(role, _ROLES)}")
    said: list[str] = []
    calls: list[dict[str, Any]] = []
    for line in text.strip().splitlines():
        match = _CALL.match(line)
        if match:
            calls.append(_call(match.group(1), where))
        elif calls and line.strip():
            raise ConfigError(f"{where}: text after a call in '## {role}'; calls end a turn")
        else:
            said.append(line)
    if calls and role != "assistant":
        raise ConfigError(f"{where}: a call in '## {role}'; only the assistant calls tools")
    content = "\n".join(said).strip()
    if not content and not calls and role != "tool":
        raise ConfigError(f"{where}: '## {role}' is empty")
    return Message.model_validate({"role": role, "content": content, "tool_calls": calls})


def _call(given: str, where: str) -> dict[str, Any]:
    try:
        data: object = json.loads(given)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where}: a call is no JSON ({error.msg}): {given.strip()[:60]}") from None
    call = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    if set(call) != {"tool", "args"} or not isinstance(call["tool"], str) or not isinstance(call["args"], dict):
        raise ConfigError(f'{where}: a call must read {{"tool": "…", "args": {{…}}}}, found {given.strip()[:60]}')
    return {"type": "function", "function": {"name": call["tool"], "arguments": call["args"]}}


def _check_order(turns: Sequence[Message], where: str) -> None:
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        raise ConfigError(f"{where}: no '## assistant'; there is nothing to judge")
    if "system" in roles[1:]:
        raise ConfigError(f"{where}: '## system' may only come first")
    for before, turn in zip([None, *turns], turns, strict=False):
        called = before is not None and (before.role == "tool" or bool(before.tool_calls))
        if turn.role == "tool" and not called:
            raise ConfigError(f"{where}: '## tool' without a call before it")
        if turn.role == "assistant" and (before is None or before.role == "system"):
            raise ConfigError(f"{where}: the assistant speaks first; begin with '## user'")
