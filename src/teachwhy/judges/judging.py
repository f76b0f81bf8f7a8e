"""Judges side by side: each is asked the same, each answers for itself, and what is no answer is void."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from inspect_ai.model import CachePolicy, ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.util import collect

from teachwhy.core.errors import ConfigError, ModelError, guess
from teachwhy.core.markdown import fill, sections
from teachwhy.core.naming import is_same_model
from teachwhy.core.records import Message, Record
from teachwhy.judges.answer import Opinion, read_answer, void
from teachwhy.judges.rubric import TRANSCRIPT, Rubric

MAX_TOKENS = 4096
"""Room for a judge that thinks first."""
NO_JUDGE = "none"
"""The grader where nobody was asked."""

_FORM = Path(__file__).parent / "form.md"
_TAG = re.compile(r"<(\s*/?\s*(?:quote|reason|verdict)\b[^<>]*)>", re.IGNORECASE)
_HEADING = re.compile(r"^(?=## )", re.MULTILINE)
_CALL = re.compile(r"^(?=call: )", re.MULTILINE)
_RETRIES = 5
_TIMEOUT = 300
"""Seconds, for one try."""
_LOCAL = ("mockllm/", "teachwhy/", "teachwhy-scripted/")
"""Their names may come to stand for something else, and asking costs nothing: never from the cache."""


class Judgement(Record):
    """What the judges found, taken together."""

    value: float | None
    """The mean over the judges who judged; None where none did."""
    quote: str
    """Of the judge who is nearest to the mean; empty where none judged."""
    reason: str
    """Every judge's, by name where there are several."""
    opinions: dict[str, float | None]
    """Judge to what it found; None is void."""
    grader: str
    """The judges' names, with ``+`` between them."""


def as_text(messages: Sequence[Message]) -> str:
    """A transcript as a judge reads it: a heading for each turn, a line for each call.

    A line of a turn's content that looks like a heading or a call is set off by a backslash, so none can be forged.
    """
    parts: list[str] = []
    for message in messages:
        lines = [f"## {message.role}"]
        if message.content.strip():
            lines.append(_CALL.sub(r"\\", _HEADING.sub(r"\\", message.content.strip())))
        lines.extend(_call_line(cast("dict[str, Any]", entry["function"])) for entry in message.tool_calls)
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _call_line(function: Mapping[str, Any]) -> str:
    call: dict[str, Any] = {"tool": function.get("name"), "args": function.get("arguments", {})}
    if "error" in function:
        call["not_carried_out"] = str(function["error"])
    return f"call: {json.dumps(call, ensure_ascii=False, default=str)}"


async def judge(rubric: Rubric, text: str, judges: Sequence[str], **slots: str) -> Judgement:
    """Ask every judge the rubric's question about ``text``; its other slots are filled by ``slots``.

    A judge that fails, is cut off, refuses, answers off the menu or quotes what is not there is void with that reason,
    and so is the answer of another model than the one asked. Raises ConfigError for slots that do not fit the rubric.
    """
    asked = list(dict.fromkeys(judges))
    turns = _turns(rubric, text, slots)
    found = await collect(*(_ask(name, rubric, text, turns) for name in asked))
    return _together(dict(zip(asked, found, strict=True)))


def open_judges(judges: Sequence[str]) -> None:
    """Open every judge, so that a wrong name or a missing key is found before anything is spent; ModelError if so."""
    for name in judges:
        try:
            get_model(name, memoize=False)
        except Exception as error:  # Inspect and the providers each have their own
            reason = re.sub(r"\[/?[a-z ]+\]", "", " ".join(str(error).split())) or type(error).__name__
            raise ModelError(f"cannot open the judge {name!r}: {reason}") from None


def _turns(rubric: Rubric, text: str, slots: Mapping[str, str]) -> list[ChatMessage]:
    for name in slots.keys() ^ rubric.slots:
        what = "nothing to fill" if name in rubric.slots else "no slot"
        raise ConfigError(f"the rubric {rubric.name!r} has {what} {name!r}; {guess(name, rubric.slots)}")
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    question = fill(rubric.question, {**slots, TRANSCRIPT: _fenced(text, mark)}, rubric.name)
    values = {
        "mark": mark,
        "question": question,
        "menu": ", ".join(rubric.choices),
        "whose": "They must be the assistant's own, from a turn of its or from a call." if rubric.own_words else "",
    }
    system, user = (fill(part, values, _FORM.name) for part in _form())
    return [ChatMessageSystem(content=system), ChatMessageUser(content=user)]


@cache
def _form() -> tuple[str, str]:
    parts = dict(sections(_FORM.read_text(encoding="utf-8")))
    return parts["System"], parts["User"]


def _fenced(text: str, mark: str) -> str:
    """The text between lines that carry a mark which it cannot know, without anything that looks like our form."""
    shown = _TAG.sub(r"‹\1›", text)
    return f"--- transcript {mark} begins ---\n{shown}\n--- transcript {mark} ends ---"


async def _ask(name: str, rubric: Rubric, text: str, turns: Sequence[ChatMessage]) -> Opinion:
    cache = False if name.startswith(_LOCAL) else CachePolicy(expiry=None, per_epoch=False)
    config = GenerateConfig(temperature=0.0, max_tokens=MAX_TOKENS, max_retries=_RETRIES, attempt_timeout=_TIMEOUT)
    try:
        output = await get_model(name).generate(list(turns), config=config, cache=cache)
    except Exception as error:  # whatever a provider raises: a judge's failure is void, not the sample's end
        return void(f"the judge failed: {' '.join(str(error).split())[:200] or type(error).__name__}")
    if output.error:
        return void(f"the judge failed: {' '.join(output.error.split())[:200]}")
    if not is_same_model(name, output.model):
        return void(f"answered by another model, {output.model!r}")
    return read_answer(rubric, text, output)


def _together(found: Mapping[str, Opinion]) -> Judgement:
    opinions = {name: opinion.value for name, opinion in found.items()}
    values = [value for value in opinions.values() if value is not None]
    mean = sum(values) / len(values) if values else None
    quote, reasons = "", {name: opinion.reason for name, opinion in found.items()}
    if mean is None:
        reasons = {name: reason.removeprefix("void: ") for name, reason in reasons.items()}
    else:
        judged = [(abs(opinion.value - mean), opinion.quote) for opinion in found.values() if opinion.value is not None]
        quote = min(judged, key=lambda entry: entry[0])[1]
    reason = "\n".join(reasons.values() if len(reasons) == 1 else map(": ".join, reasons.items()))
    reason = f"void: {reason or 'no judge was asked'}" if mean is None else reason
    return Judgement(value=mean, quote=quote, reason=reason, opinions=opinions, grader="+".join(found) or NO_JUDGE)
