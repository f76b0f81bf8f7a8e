"""Reads what a writer was asked to give in a form: tagged parts, lists, a score; Dropped for what is not in it."""

from __future__ import annotations

import re

from teachwhy.interventions.writers.asking import Dropped
from teachwhy.interventions.writers.journal import Answer

_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+?)\s*$")


def read_part(answer: Answer, tag: str, *, may_be_empty: bool = False) -> str:
    """What stands between ``<tag>`` and ``</tag>``, the last time they occur; Dropped where they do not."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL | re.IGNORECASE)
    text = found[-1].strip() if found else ""
    if not found or not (text or may_be_empty):
        raise Dropped(f"unreadable answer at {answer.stage}")
    return text


def read_list(answer: Answer) -> list[str]:
    """The lines of a list, without their marks; Dropped where there are none."""
    lines = [match[1] for line in answer.text.splitlines() if (match := _ITEM.match(line))]
    if not lines:
        raise Dropped(f"unreadable answer at {answer.stage}")
    return list(dict.fromkeys(lines))


def read_choice(answer: Answer, tag: str, choices: tuple[str, ...]) -> str:
    """The choice in the part ``tag``; off the menu is unreadable."""
    word = read_part(answer, tag).lower().strip(" .'\"")
    if word not in choices:
        raise Dropped(f"unreadable answer at {answer.stage}")
    return word


def read_score(answer: Answer, most: int) -> int:
    """The whole number from 0 to ``most`` in the part ``score``; anything else is unreadable."""
    text = read_part(answer, "score")
    if not re.fullmatch(r"\d{1,3}", text) or int(text) > most:
        raise Dropped(f"unreadable answer at {answer.stage}")
    return int(text)
