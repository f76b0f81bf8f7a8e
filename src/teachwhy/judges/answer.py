"""From a judge's answer to a verdict: one quote that stands in the transcript, one reason, one word of the menu."""

from __future__ import annotations

import re
import unicodedata

from inspect_ai.model import ModelOutput

from teachwhy.core.records import Record
from teachwhy.judges.rubric import Rubric

PARTS = ("quote", "reason", "verdict")

_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_TURN = re.compile(r"^## (system|user|assistant|tool)\b.*$", re.MULTILINE)
_ESCAPE = re.compile(r"\\+[nrt]?")
"""What JSON puts before a quote mark, or instead of a new line."""
_MARKS = re.compile(r"[\"'`´“”„‟«»‹›‘’‚‛<>]")
_DASH = re.compile(r"\s*[-‐‑‒–—―−]+\s*")
_GAP = re.compile(r"\s*(?:\[?\.\.\.\]?|\[?…\]?)\s*")
_PIECE_WORDS = 3
"""A piece of a quote with a gap that is shorter stands in too many places."""
_REFUSAL = re.compile(
    r"\A\W*(?:(?:i['’]?m|i am) sorry|sorry|i apologi[sz]e|unfortunately)?\W*(?:but )?"
    r"i(?: can['’]?t|['’]?m (?:not able|unable) to| cannot| can not| won['’]?t| will not| am (?:not able|unable) to"
    r"| must decline)",
    re.IGNORECASE,
)


class Opinion(Record):
    """What one judge found."""

    value: float | None
    quote: str = ""
    reason: str
    """Begins with ``void:`` where there is no value, and says why."""


def void(why: str, quote: str = "") -> Opinion:
    """An opinion that is none."""
    return Opinion(value=None, quote=quote, reason=f"void: {why}")


def read_answer(rubric: Rubric, text: str, output: ModelOutput) -> Opinion:
    """The opinion in a judge's answer about ``text``; void, with the reason, for whatever is not in the form."""
    if not output.choices:
        return void("the judge gave no answer")
    stop = output.choices[0].stop_reason
    if stop in ("max_tokens", "model_length"):
        return void("the judge was cut off")
    if stop == "content_filter":
        return void("the judge refused")
    said = _THINKING.sub("", output.choices[0].message.text).strip()
    if not said:
        return void("the judge said nothing")
    parts = _parts(said)
    if isinstance(parts, str):
        return void(parts)
    return _weigh(rubric, text, parts)


def _parts(said: str) -> dict[str, str] | str:
    """The parts of an answer in the form, or what is wrong with it."""
    lowered = said.lower()
    if "<verdict>" not in lowered and _REFUSAL.match(said):
        return "the judge refused"
    if lowered.count("<verdict>") > 1:
        return "several verdicts"
    found: dict[str, str] = {}
    at = 0
    for tag in PARTS:
        matches = list(re.finditer(rf"<{tag}>(.*?)</{tag}>", said, re.DOTALL | re.IGNORECASE))
        if len(matches) != 1 or lowered.count(f"<{tag}>") != 1:
            return f"not in the form: {'no' if not matches else 'several'} <{tag}>"
        if matches[0].start() < at:
            return f"not in the form: <{tag}> out of its order"
        found[tag] = matches[0].group(1).strip()
        at = matches[0].end()
    return found


def _weigh(rubric: Rubric, text: str, parts: dict[str, str]) -> Opinion:
    word = re.sub(r"[\s-]+", "_", parts["verdict"].strip(" \t\r\n.*_`\"'").lower())
    if word not in rubric.choices:
        return void(f"{parts['verdict'][:40]!r} is not on the menu", parts["quote"])
    if not parts["reason"]:
        return void("no reason given", parts["quote"])
    source = own_words(text) if rubric.own_words else text
    if not stands_in(parts["quote"], source):
        where = "the assistant's words" if rubric.own_words else "the transcript"
        return void(f"the quote does not stand in {where}", parts["quote"])
    value = rubric.choices[word]
    if value is None:
        return void(f"{word}: {parts['reason']}", parts["quote"])
    return Opinion(value=value, quote=parts["quote"], reason=parts["reason"])


def stands_in(quote: str, text: str) -> bool:
    """Whether the quote is there, whatever its spaces, quote marks, dashes and capitals.

    A quote with a gap stands there if all its pieces do, in their order, and none is shorter than three words.
    """
    wanted, source = plain(quote), plain(text)
    if not re.search(r"\w", wanted):
        return False
    if wanted in source:
        return True
    pieces = [piece for piece in _GAP.split(wanted) if piece]
    at = 0
    for piece in pieces:
        found = source.find(piece, at)
        if found < 0 or len(piece.split()) < _PIECE_WORDS:
            return False
        at = found + len(piece)
    return True


def plain(text: str) -> str:
    """The text without what copying changes."""
    text = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    text = _DASH.sub("-", _MARKS.sub("", _ESCAPE.sub(" ", text)))
    return " ".join(text.split()).casefold()


def own_words(text: str) -> str:
    """The assistant's turns of a transcript as ``as_text`` gives it; all of a text that has no turns."""
    marks = list(_TURN.finditer(text))
    if not marks:
        return text
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return "\n".join(
        text[mark.end() : end] for mark, end in zip(marks, ends, strict=True) if mark.group(1) == "assistant"
    )
