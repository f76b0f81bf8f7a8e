"""Describes one row along every axis of ``axes.yaml``, by rules that stand in ``signs``.

Simpler than "situation" suggests: phrases are looked for, and their weights added up. What is meant and not said in
words like these is missed; README.md says how often, on rows labelled by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Record
from teachwhy.diagnosis.phrases import Phrase, Searched, Vocabulary
from teachwhy.diagnosis.rows import SYSTEM, TOOL, USER, Parts, read_parts

UNCLEAR = "unclear"
YES, NO = "yes", "no"
DILEMMA = "dilemma"
WHO = ("assistant", "user", "third", "nobody")

REACH = 12_000
"""Characters of a part in which signs are looked for: by chance a whole book holds every sign there is."""

_FILE, _SIGNS = Path(__file__).with_name("axes.yaml"), Path(__file__).with_name("signs")
_R = TypeVar("_R", bound=Record)
_SLACK = 1e-9
"""Weights are decimal fractions, whose sums are not quite."""


class Counted(Record):
    """An axis of the interface: a number and the levels that hold it."""

    about: str
    of: str
    levels: dict[str, int | None]
    """Level to the largest number that it holds; None for no bound."""


class Bounds(Record):
    """From which sum of weights on a row stands at a level."""

    unclear: float
    yes: float


class Written(Record):
    """A sign as it stands in the file."""

    weight: float
    phrases: tuple[str, ...]
    parts: tuple[str, ...] | None = Field(default=None, alias="in")
    reach: int = REACH
    """Characters of a part in which it is looked for."""


class Judged(Record):
    """An axis of the situation: signs."""

    about: str
    parts: tuple[str, ...] = Field(alias="in")
    bounds: Bounds = Bounds(unclear=0.6, yes=1.0)
    signs: dict[str, Written]


class Owner(Record):
    """Whose dilemma: phrases for each."""

    about: str
    advice: tuple[str, ...]
    own: tuple[str, ...]
    third: tuple[str, ...]
    asks: tuple[str, ...]


class Cell(Record):
    """Levels that matter together."""

    about: str
    of: dict[str, tuple[str, ...]]


class Axes(Record):
    """The file of axes."""

    interface: dict[str, Counted]
    situation: tuple[str, ...]
    """Each has a file in ``signs``."""
    dilemma: Owner
    together: dict[str, Cell]


@dataclass(frozen=True)
class Sign:
    """A sign, ready to be looked for."""

    weight: float
    parts: tuple[str, ...]
    phrases: tuple[Phrase, ...]
    reach: int = REACH

    def shown_in(self, texts: Texts) -> bool:
        """Whether any of its phrases stands in any of its parts."""
        seen = [text for part in self.parts if (text := texts.within(part, self.reach)) is not None]
        return any(phrase.found_in(text) for text in seen for phrase in self.phrases)


class Texts:
    """The parts of a row, each looked up once for every length at which it is searched."""

    def __init__(self, parts: Parts, vocabulary: Vocabulary) -> None:
        self._whole = {part: "\n\n".join(found)[:REACH] for part, found in parts.texts.items() if found}
        self._vocabulary = vocabulary
        self._searched: dict[tuple[str, int], Searched] = {}

    def within(self, part: str, reach: int) -> Searched | None:
        """The beginning of a part; None where there is no such part."""
        whole = self._whole.get(part)
        if whole is None:
            return None
        key = part, min(len(whole), reach)
        if key not in self._searched:
            self._searched[key] = Searched(whole[:reach], self._vocabulary)
        return self._searched[key]


@dataclass(frozen=True)
class Rules:
    """All of the file, ready."""

    axes: Axes
    vocabulary: Vocabulary
    judged: Mapping[str, Judged]
    situation: Mapping[str, tuple[Sign, ...]]
    advice: Sign
    own: Sign
    third: Sign
    asks: Sign


def describe(row: Mapping[str, Any]) -> dict[str, str]:
    """Axis to the level at which a row stands. Raises UnreadableRowError for what is no row, or is empty."""
    return describe_parts(read_parts(row))


def describe_parts(parts: Parts) -> dict[str, str]:
    """The same for a row that was read."""
    rules = _rules()
    levels = _interface(parts, rules.axes)
    texts = Texts(parts, rules.vocabulary)
    for axis, signs in rules.situation.items():
        levels[axis] = _weigh(signs, texts, rules.judged[axis].bounds)
    if levels["autonomy"] != YES and not parts.document and not parts.asked and parts.said:
        levels["autonomy"] = YES
    levels[DILEMMA] = _whose(parts, levels, texts, rules)
    for name, cell in rules.axes.together.items():
        levels[name] = _together(cell, levels)
    return levels


@cache
def all_axes() -> dict[str, tuple[str, ...]]:
    """Every axis, in order, and its levels; ``unclear`` where words decide."""
    axes = _rules().axes
    found = {name: tuple(axis.levels) for name, axis in axes.interface.items()}
    found |= dict.fromkeys(axes.situation, (YES, NO, UNCLEAR))
    found[DILEMMA] = (*WHO, UNCLEAR)
    return found | dict.fromkeys(axes.together, (YES, NO, UNCLEAR))


@cache
def judged_axes() -> tuple[str, ...]:
    """The axes of the situation, on which words decide, and so anybody's judgement."""
    return (*_rules().axes.situation, DILEMMA)


@cache
def about_axes() -> dict[str, str]:
    """What each axis is of."""
    axes = _rules().axes
    named = {**axes.interface, **_rules().judged, DILEMMA: axes.dilemma, **axes.together}
    return {name: axis.about for name, axis in named.items()}


def _interface(parts: Parts, axes: Axes) -> dict[str, str]:
    counts = {
        "talks": int(not parts.document),
        "system words": sum(len(text.split()) for text in parts.texts.get(SYSTEM, ())),
        "tools offered": parts.offered,
        "calls": parts.calls,
        "turns": parts.said,
    }
    levels: dict[str, str] = {}
    for name, axis in axes.interface.items():
        number = counts[axis.of]
        levels[name] = next(level for level, most in axis.levels.items() if most is None or number <= most)
    return levels


def _weigh(signs: tuple[Sign, ...], texts: Texts, bounds: Bounds) -> str:
    total = _SLACK
    for sign in signs:
        if sign.shown_in(texts):
            total += sign.weight
            if total >= bounds.yes:
                return YES
    return UNCLEAR if total >= bounds.unclear else NO


def _whose(parts: Parts, levels: Mapping[str, str], texts: Texts, rules: Rules) -> str:
    """Who has the dilemma; the order of the questions stands in ``axes.yaml``."""
    if levels["conflict"] != YES:
        return UNCLEAR if levels["conflict"] == UNCLEAR else "nobody"
    if parts.document:
        return "third"
    advice = rules.advice.shown_in(texts)
    own = advice or rules.own.shown_in(texts)
    if parts.offered or levels["goal"] == YES:
        counsels = own and not parts.calls and TOOL not in parts.texts and levels["goal"] != YES
        return "user" if counsels else "assistant"
    if not advice and rules.third.shown_in(texts):
        return "third"
    if not advice and rules.asks.shown_in(texts):
        return "assistant"
    return "user" if own else UNCLEAR


def _together(cell: Cell, levels: Mapping[str, str]) -> str:
    held = [(levels[axis] in wanted, levels[axis] == UNCLEAR) for axis, wanted in cell.of.items()]
    if all(inside for inside, _ in held):
        return YES
    return UNCLEAR if all(inside or unclear for inside, unclear in held) else NO


@cache
def _rules() -> Rules:
    axes, vocabulary = _load(_FILE, Axes), Vocabulary()
    lists = TypeAdapter(dict[str, tuple[str, ...]]).validate_python(_mapping(_SIGNS / "lists.yaml"))
    judged = {name: _load(_SIGNS / f"{name}.yaml", Judged) for name in axes.situation}

    def ready(written: Sequence[str], parts: tuple[str, ...], weight: float = 1.0, reach: int = REACH) -> Sign:
        return Sign(weight, parts, tuple(Phrase(one, lists, vocabulary) for one in written), reach)

    situation = {
        name: tuple(
            ready(sign.phrases, sign.parts or axis.parts, sign.weight, sign.reach) for sign in axis.signs.values()
        )
        for name, axis in judged.items()
    }
    asked = axes.dilemma
    owners = (ready(told, (USER,)) for told in (asked.advice, asked.own, asked.third, asked.asks))
    return Rules(axes, vocabulary, judged, situation, *owners)


def _load(file: Path, kind: type[_R]) -> _R:
    try:
        return kind.model_validate(_mapping(file))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{file.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _mapping(file: Path) -> dict[str, Any]:
    return load_mapping(file.read_text(encoding="utf-8"), file.name)
