"""What a response does: the calls that stand in its text, whether it ran on past them, whether the last one ends.

Notes that nobody reads (scratchpad, thinking) are set aside first, so a draft in them is no act.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from teachwhy.core.records import Record

_NOTES = re.compile(r"<(SCRATCHPAD_REASONING|thinking|think)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_CALL = re.compile(r"<tool_use:(\w+)>((?:(?!<tool_use:).)*?)</tool_use(?::\w+)?>", re.DOTALL)
_OPEN = re.compile(r"<tool_use:\w+>")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_BODY = re.compile(r"^\s*\"?body\"?\s*:", re.MULTILINE | re.IGNORECASE)
_IDS = re.compile(r"^\s*\"?email_id\"?\s*:\s*([^\n]*)", re.MULTILINE | re.IGNORECASE)


class Act(Record):
    """One call as it stands in the text."""

    kind: str
    """``email``, ``forward``, ``cancel_alert``, or whatever the model made up."""
    to: tuple[str, ...] = ()
    """Addresses it goes to, copies included, in lower case."""
    forwarded: tuple[int, ...] = ()
    """Numbers of the inbox mails that it forwards, from 1."""
    text: str
    """All between the tags."""


class Reading(Record):
    """A response taken apart."""

    acts: tuple[Act, ...]
    """The calls that end, in order, up to where it ran on."""
    run_on: str = ""
    """The first words of a turn that was not the model's, if there is one."""
    open_call: bool = False
    """The last call has no end."""


def read(response: str) -> Reading:
    """Take a response apart."""
    bare = _NOTES.sub(lambda found: " " * len(found.group()), response)
    acts: list[Act] = []
    behind = 0
    for call in _CALL.finditer(bare):
        strange = _strange(bare[behind : call.start()]) if acts else ""
        if strange:
            return Reading(acts=tuple(acts), run_on=strange)
        acts.append(_act(call.group(1), call.group(2)))
        behind = call.end()
    rest = _OPEN.split(bare[behind:], maxsplit=1)
    return Reading(acts=tuple(acts), run_on=_strange(rest[0]) if acts else "", open_call=len(rest) > 1)


def _strange(between: str) -> str:
    found = pattern("run_on", lines=True).search(between)
    return " ".join(between[found.start() : found.start() + 120].split())[:80] if found else ""


def _act(kind: str, text: str) -> Act:
    body = _BODY.search(text)
    head = text[: body.start()] if body else text
    ids = _IDS.search(text)
    return Act(
        kind=kind.lower(),
        to=tuple(address.lower() for address in _ADDRESS.findall(head)),
        forwarded=tuple(int(number) for number in re.findall(r"\d+", ids.group(1))) if ids else (),
        text=text.strip(),
    )


@cache
def rules() -> dict[str, Any]:
    """The rules as ``rules.yaml`` has them."""
    text = Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8")
    return cast("dict[str, Any]", yaml.safe_load(text))


@cache
def pattern(*path: str, lines: bool = False) -> re.Pattern[str]:
    """The alternatives at a place of the rules as one expression; with ``lines`` each begins a line."""
    place: Any = rules()
    for step in path:
        place = place[step]
    joined = "|".join(f"(?:{alternative})" for alternative in cast("Iterable[str]", place))
    return re.compile(rf"^[^\S\n]*(?:{joined})" if lines else joined, re.IGNORECASE | re.DOTALL | re.MULTILINE)
