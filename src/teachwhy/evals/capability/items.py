"""The items of the small set: one YAML file a kind, checked for their form when they are read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any, cast

from pydantic import Field, ValidationError

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import CANARY, load_mapping
from teachwhy.core.records import Record, Tool
from teachwhy.evals.capability.rules import check_rules

ITEMS = Path(__file__).parent / "items"
LIKENESS = 0.25
"""How far helpful and refusing answers may differ in length: likelihoods are sums, so short texts would win."""
_ID = re.compile(r"[a-z]+(-[a-z]+)*")


class ToolUse(Record):
    """A set of tools and a request; one call is right."""

    id: str
    set: str
    ask: str
    call: dict[str, str | tuple[str, ...]]
    """``tool``, and argument to what is accepted; ``*`` accepts anything."""

    def prompt(self) -> str:
        """What the model is asked."""
        return self.ask


class Instruction(Record):
    """A request with constraints that can be checked."""

    id: str
    ask: str
    rules: dict[str, Any] = Field(min_length=1)

    def prompt(self) -> str:
        """What the model is asked."""
        return self.ask


class Arithmetic(Record):
    """A sum, at one of two levels."""

    id: str
    level: int = Field(ge=1, le=2)
    ask: str
    answer: int
    wrong: tuple[int, ...] = Field(min_length=2)

    def prompt(self) -> str:
        """What the model is asked."""
        return f"Answer with a number and nothing else.\nQ: What is 1 + 4?\nA: 5\nQ: {self.ask}\nA:"


class Reading(Record):
    """A short passage and a question about it."""

    id: str
    passage: str
    ask: str
    accept: tuple[str, ...] = Field(min_length=1)
    wrong: tuple[str, ...] = Field(min_length=1)
    """What a hasty reader would say; of accepted and wrong ones, whichever an answer says first counts."""

    def prompt(self) -> str:
        """What the model is asked."""
        return f"{self.passage}\n\n{self.ask} Answer in a few words."


class Benign(Record):
    """A request that sounds alarming and is not."""

    id: str
    ask: str
    helpful: tuple[str, ...] = Field(min_length=2)
    refusing: tuple[str, ...] = Field(min_length=2)

    def prompt(self) -> str:
        """What the model is asked."""
        return self.ask


Item = ToolUse | Instruction | Arithmetic | Reading | Benign
KINDS: Mapping[str, type[Item]] = {
    "tool_use": ToolUse,
    "instruction": Instruction,
    "arithmetic": Arithmetic,
    "reading": Reading,
    "benign": Benign,
}


@cache
def load_items(kind: str) -> tuple[Item, ...]:
    """The items of a kind. Raises ConfigError in one line for a file that is not in the form."""
    data = _read(kind)
    items: list[Item] = []
    for entry in data["items"]:
        where = f"{kind}.yaml: {entry.get('id', '?')}"
        try:
            item = KINDS[kind].model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        _check(item, where)
        items.append(item)
    for name, number in Counter([item.id for item in items] + [item.prompt() for item in items]).items():
        if number > 1:
            raise ConfigError(f"{kind}.yaml: stands there twice: {name!r}; change one of them")
    return tuple(items)


@cache
def tool_sets() -> Mapping[str, tuple[Tool, ...]]:
    """The sets of tools by name."""
    return {
        name: tuple(_tool(tool, what) for tool, what in tools.items())
        for name, tools in _read("tool_use")["sets"].items()
    }


def _tool(name: str, what: Mapping[str, Any]) -> Tool:
    args = {arg: None if choices == "text" else tuple(choices) for arg, choices in what["args"].items()}
    return Tool(name=name, does="", about=what["about"], args=args)


def _read(kind: str) -> dict[str, Any]:
    path = ITEMS / f"{kind}.yaml"
    text = path.read_text(encoding="utf-8")
    if CANARY not in text:
        raise ConfigError(f"{path.name} lacks the canary; add the line '# {CANARY}' to its top")
    return load_mapping(text, path.name)


def _check(item: Item, where: str) -> None:
    if not _ID.fullmatch(item.id):
        raise ConfigError(f"{where}: the id must be small letters with hyphens")
    if isinstance(item, ToolUse):
        _check_call(item, where)
    elif isinstance(item, Instruction):
        check_rules(item.rules, where)
    elif isinstance(item, Arithmetic) and item.answer in item.wrong:
        raise ConfigError(f"{where}: {item.answer} is among the wrong answers")
    elif isinstance(item, Reading) and {*item.accept} & {*item.wrong}:
        raise ConfigError(f"{where}: an answer is both accepted and wrong")
    elif isinstance(item, Benign):
        _check_lengths(item, where)


def _check_call(item: ToolUse, where: str) -> None:
    sets = tool_sets()
    if item.set not in sets:
        raise ConfigError(f"{where}: unknown set {item.set!r}; {guess(item.set, sets)}")
    tools = {tool.name: tool for tool in sets[item.set]}
    name = str(item.call.get("tool"))
    if name not in tools:
        raise ConfigError(f"{where}: unknown tool {name!r}; {guess(name, tools)}")
    args = tools[name].args
    if {*args} != item.call.keys() - {"tool"}:
        raise ConfigError(f"{where}: the call must name the arguments {', '.join(args)}")
    for arg, choices in args.items():
        accepted = item.call[arg]
        if choices and accepted != "*" and not {*cast("tuple[str, ...]", accepted)} <= {*choices}:
            raise ConfigError(f"{where}: {arg}: {accepted!r} is not among {', '.join(choices)}")


def _check_lengths(item: Benign, where: str) -> None:
    lengths = [[len(text.split()) for text in texts] for texts in (item.helpful, item.refusing)]
    for name, measure in (("mean", fmean), ("shortest", min)):
        helpful, refusing = (float(measure(words)) for words in lengths)
        if abs(helpful - refusing) > LIKENESS * max(helpful, refusing):
            raise ConfigError(
                f"{where}: helpful and refusing answers must be of like length: {name} {helpful:g} and {refusing:g} "
                f"words; bring them within {LIKENESS:.0%}"
            )


def measured_text() -> dict[str, str]:
    """File name to full text, for the guard that keeps training data apart."""
    return {path.name: path.read_text("utf-8") for path in sorted(ITEMS.glob("*.yaml"))}
