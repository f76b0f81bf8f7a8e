"""A rubric: one question put to a judge, and the menu of words it may answer with; a Markdown file each."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import split_front_matter
from teachwhy.core.records import Record
from teachwhy.core.store import content_key

RUBRICS = Path(__file__).parent / "rubrics"
VOID = "void"
"""Stands in a menu for a word that is no answer."""
TRANSCRIPT = "transcript"
"""The slot that what is judged goes into."""

_SLOT = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*")


class Rubric(Record):
    """What a judge is asked."""

    name: str
    question: str
    """With ``{transcript}`` and whatever other slots it has."""
    choices: dict[str, float | None]
    """The menu: word to value in [0, 1]; None is void."""
    sha256: str
    """Stands for all of it: verdicts of two wordings do not compare."""
    own_words: bool = False
    """Whether the quote must be the assistant's own words."""

    @property
    def slots(self) -> set[str]:
        """What must be given beside the transcript."""
        return set(_SLOT.findall(self.question)) - {TRANSCRIPT}


def load_rubric(path: Path) -> Rubric:
    """Read a rubric: front matter ``name``, ``choices`` and perhaps ``own_words``; the body is the question.

    Raises ConfigError in one line, naming the file, for one that is not in the form.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror or error}") from None
    front, body = split_front_matter(text, where)
    front["choices"] = _menu(front.get("choices"), where)
    question = body.strip()
    if question.count(f"{{{TRANSCRIPT}}}") != 1:
        raise ConfigError(f"{where}: the question must hold {{{TRANSCRIPT}}} exactly once")
    try:
        rubric = Rubric.model_validate({**front, "question": question, "sha256": ""})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return rubric.model_copy(update={"sha256": content_key(rubric.model_dump())})


@cache
def named_rubric(name: str) -> Rubric:
    """One of the rubrics that come with this package, by its file's stem; ConfigError for a name that is none."""
    path = RUBRICS / f"{name}.md"
    if not path.is_file():
        raise ConfigError(f"no rubric {name!r}; {guess(name, (found.stem for found in RUBRICS.glob('*.md')))}")
    return load_rubric(path)


def _menu(given: object, where: str) -> dict[str, float | None]:
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: needs 'choices', a word to its value each, such as {{harmful: 1, clean: 0}}")
    menu: dict[str, float | None] = {}
    for word, value in cast("dict[Any, Any]", given).items():
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise ConfigError(f"{where}: {word!r} is no word for a menu; use small letters, and quote yes and no")
        menu[word] = _value(word, value, where)
    if not len(set(menu.values()) - {None}) > 1:
        raise ConfigError(f"{where}: a menu needs at least two words of different value, found {', '.join(menu)}")
    return menu


def _value(word: str, value: object, where: str) -> float | None:
    if value == VOID:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{where}: {word!r} stands for {value!r}; it must be a number from 0 to 1, or {VOID}")
    return float(value)
