"""A model that describes a sample of rows along the axes of the situation, and how far the rules agree with it.

One call a row. Whatever is not one word of an axis' menu, said once, is ``unclear`` on that axis. A model that fails,
is cut off or answers under another's name leaves the whole row void; void rows are counted beside the agreement.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.model import CachePolicy, ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.util import collect

from teachwhy.core.markdown import fill, sections
from teachwhy.core.naming import is_same_model
from teachwhy.core.records import Record
from teachwhy.core.shards import UnreadableRowError, parse, read_raw
from teachwhy.core.stats import Agreement, Rated, cohens_kappa
from teachwhy.core.thoughts import outward
from teachwhy.diagnosis.counting import all_shards
from teachwhy.diagnosis.describe import UNCLEAR, about_axes, all_axes, describe_parts, judged_axes
from teachwhy.diagnosis.rows import COLUMNS, Parts, read_parts
from teachwhy.judges.judging import MAX_TOKENS, open_judges

RULES, MODEL = "rules", "model"

_FORM = Path(__file__).with_name("judged.md")
_SHOWN = 8_000
"""Characters of a part that the model is shown."""
_LINE = re.compile(r"^[\s*_`-]*([a-z]+)[\s*_`]*:[\s*_`]*([a-z]+)[\s*_`.]*$", re.MULTILINE)
_LOCAL = ("mockllm/", "teachwhy/", "teachwhy-scripted/")
"""Their names may come to stand for something else, and asking costs nothing: never from the cache."""
_RETRIES = 5
_TIMEOUT = 300


class Place(Record):
    """One row by both."""

    name: str
    rules: dict[str, str]
    model: dict[str, str] | None
    """None is void."""
    why: str = ""
    """Why it is void."""


class Agreed(Record):
    """How far rules and model agree on one axis."""

    axis: str
    rows: int
    """Rows that neither left unclear."""
    same: int
    kappa: Agreement
    """Beyond chance."""
    unclear_rules: int
    unclear_model: int


class Judged(Record):
    """What a model said of a sample of rows."""

    model: str
    rows: int
    void: int
    agreed: tuple[Agreed, ...]
    places: tuple[Place, ...]


def judge_sample(files: Sequence[Path], model: str, count: int = 60) -> Judged:
    """Have a model describe rows drawn evenly from all over, and compare. Raises ModelError, ConfigError."""
    open_judges([model])
    sample = list(sample_rows(files, count))
    return compare(model, asyncio.run(_describe_all(model, sample)))


def sample_rows(files: Sequence[Path], count: int) -> Iterator[tuple[str, Parts]]:
    """(place, row) of at most ``count`` rows at even distances, those that cannot be read left out."""
    shards = all_shards(files)
    total, before = sum(shard.rows for shard in shards), 0
    wanted = {at * total // count for at in range(count)} if total else set[int]()
    for shard in shards:
        here = {at - before + shard.first for at in wanted if before <= at < before + shard.rows}
        before += shard.rows
        for number, raw in read_raw(shard, COLUMNS) if here else ():
            if number in here:
                with suppress(UnreadableRowError):
                    yield f"{shard.file.name}:{number}", read_parts(parse(raw))


def compare(model: str, places: Sequence[Place]) -> Judged:
    """The agreement, axis by axis."""
    told = [(place.name, place.rules, place.model) for place in places if place.model is not None]
    agreed = [_agree(axis, told) for axis in judged_axes()]
    return Judged(
        model=model, rows=len(places), void=len(places) - len(told), agreed=tuple(agreed), places=tuple(places)
    )


def _agree(axis: str, told: Sequence[tuple[str, Mapping[str, str], Mapping[str, str]]]) -> Agreed:
    pairs = [(name, rules[axis], said[axis]) for name, rules, said in told]
    both = [(ruled, said) for _, ruled, said in pairs if UNCLEAR not in (ruled, said)]
    rated = [Rated(name, {RULES: _clear(ruled), MODEL: _clear(said)}) for name, ruled, said in pairs]
    return Agreed(
        axis=axis,
        rows=len(both),
        same=sum(ruled == said for ruled, said in both),
        kappa=cohens_kappa(rated, RULES, MODEL),
        unclear_rules=sum(ruled == UNCLEAR for _, ruled, _ in pairs),
        unclear_model=sum(said == UNCLEAR for _, _, said in pairs),
    )


def _clear(level: str) -> str | None:
    return None if level == UNCLEAR else level


async def _describe_all(model: str, sample: Sequence[tuple[str, Parts]]) -> list[Place]:
    return await collect(*(_describe(model, name, parts) for name, parts in sample))


async def _describe(model: str, name: str, parts: Parts) -> Place:
    rules = describe_parts(parts)
    said = await _ask(model, _turns(parts))
    if isinstance(said, Exception):
        return Place(name=name, rules=rules, model=None, why=" ".join(str(said).split())[:200] or type(said).__name__)
    return Place(name=name, rules=rules, model=read_levels(said))


async def _ask(model: str, turns: Sequence[ChatMessage]) -> str | Exception:
    cache = False if model.startswith(_LOCAL) else CachePolicy(expiry=None, per_epoch=False)
    config = GenerateConfig(temperature=0.0, max_tokens=MAX_TOKENS, max_retries=_RETRIES, attempt_timeout=_TIMEOUT)
    try:
        output = await get_model(model).generate(list(turns), config=config, cache=cache)
    except Exception as error:  # whatever a provider raises: its failure is this row's void, not the sample's end
        return error
    if output.error or output.stop_reason != "stop":
        return RuntimeError(output.error or f"the answer ended by {output.stop_reason}")
    if not is_same_model(model, output.model):
        return RuntimeError(f"answered by another model, {output.model!r}")
    return output.completion


def read_levels(said: str) -> dict[str, str]:
    """A model's answer as levels; ``unclear`` for what is missing, said twice or off the menu."""
    lines = [match.groups() for match in _LINE.finditer(outward(said).lower())]
    found: dict[str, str] = {}
    for axis in judged_axes():
        words = [word for named, word in lines if named == axis]
        found[axis] = words[0] if len(words) == 1 and words[0] in all_axes()[axis] else UNCLEAR
    return found


def _turns(parts: Parts) -> list[ChatMessage]:
    row = "\n\n".join(f"## {part}\n{_shown(texts)}" for part, texts in parts.texts.items())
    axes = "\n".join(f"- {axis} ({', '.join(all_axes()[axis])}): {about_axes()[axis]}" for axis in judged_axes())
    values = {"row": row, "axes": axes, "mark": hashlib.sha256(row.encode("utf-8", "replace")).hexdigest()[:12]}
    system, user = (fill(part, values, _FORM.name) for part in _form())
    return [ChatMessageSystem(content=system), ChatMessageUser(content=user)]


def _shown(texts: Sequence[str]) -> str:
    text = "\n\n".join(texts).encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"^(?=## |--- row )", r"\\", text[:_SHOWN], flags=re.MULTILINE)


@cache
def _form() -> tuple[str, str]:
    parts: Any = dict(sections(_FORM.read_text(encoding="utf-8")))
    return parts["System"], parts["User"]
