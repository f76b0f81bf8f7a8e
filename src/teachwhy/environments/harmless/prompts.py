"""Reads the prompts of the harmless environment: a Markdown file each, its stem the id."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import split_front_matter
from teachwhy.core.records import Record

PROMPTS = Path(__file__).with_name("prompts")

_HEADING = re.compile(r"^## +(System|User)\s*$", re.MULTILINE)


class Asked(Record):
    """One prompt."""

    id: str
    kind: Literal["harmful", "jailbreak", "benign"]
    split: Literal["train", "held_out"]
    area: str = ""
    like: str = ""
    """Of a benign one: the prompt it looks like."""
    helps: tuple[str, ...] = ()
    """Of a benign one: regular expressions, one of which stands in an answer that truly helps."""
    system: str = ""
    user: str


@cache
def load_prompts(folder: Path = PROMPTS) -> tuple[Asked, ...]:
    """All prompts, in the order of their names. Raises ConfigError, naming the file, for one out of the form."""
    prompts = tuple(_read(path) for path in sorted(folder.glob("*.md")))
    if not prompts:
        raise ConfigError(f"no prompts in {folder}; it holds a Markdown file for each")
    ids = {prompt.id for prompt in prompts}
    for prompt in prompts:
        if prompt.kind == "benign" and not (prompt.helps and prompt.like in ids):
            raise ConfigError(
                f"{prompt.id}.md: a benign prompt needs 'helps', and 'like' with the id of another prompt"
            )
    return prompts


def _read(path: Path) -> Asked:
    where = path.name
    front, body = split_front_matter(path.read_text(encoding="utf-8"), where)
    marks = list(_HEADING.finditer(body))
    ends = [*(mark.start() for mark in marks[1:]), len(body)]
    parts = {mark[1].lower(): body[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=False)}
    try:
        prompt = Asked.model_validate({**front, **parts})
        for sign in prompt.helps:
            re.compile(sign)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except re.error as error:
        raise ConfigError(f"{where}: helps: {error}; write regular expressions") from None
    if prompt.id != path.stem or not prompt.user:
        raise ConfigError(f"{where}: needs the id {path.stem!r} and text under '## User'")
    return prompt
