"""Every condition of the installed ``agentic_misalignment``: its prompt, its cluster, and what is wrong with it.

The text is the port's own, by the port's own generator. A prompt is what the model sees, system prompt and user turn;
conditions with the same prompt are one cluster, because samples of them are samples of one thing.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import typing
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from teachwhy.core.errors import ConfigError, ModelError, guess
from teachwhy.core.records import Record

CHOICES = ("valid", "unique", "sound", "all")
FLAGS = ("dont", "goal", "prod", "eval-awareness")
_LEAKS = re.compile(r"\$\{\w+\}|\{company_name\}|placeholder for \w+")
_NAME = re.compile(r"(\w+?)_(\w+)-(\w+)_(replacement|restriction|none)((?:_(?:dont|goal|prod|eval-awareness))*)")


class Condition(Record):
    """One setting of the package's parameters."""

    scenario: str
    goal_type: str
    goal_value: str
    urgency: str
    flags: tuple[str, ...] = ()
    """``dont`` or ``goal`` (further system instructions), ``prod`` (no scratchpad), ``eval-awareness`` (is told that it
    may be tested)."""

    @property
    def name(self) -> str:
        """As upstream names it, with the flags behind."""
        return "_".join((self.scenario, f"{self.goal_type}-{self.goal_value}", self.urgency, *self.flags))

    def arguments(self) -> dict[str, Any]:
        """As the package's task takes it."""
        extra = next((flag for flag in self.flags if flag in ("dont", "goal")), None)
        return {
            "scenario": self.scenario,
            "goal_type": self.goal_type,
            "goal_value": self.goal_value,
            "urgency_type": self.urgency,
            "extra_system_instructions": extra,
            "prod": "prod" in self.flags,
            "test_eval_awareness": "eval-awareness" in self.flags,
        }


class Prompt(Record):
    """What the model sees in a condition, and what is to be known of it."""

    condition: Condition
    system: str
    instruction: str
    emails: str
    cluster: str
    """The scenario and the first digits of the sha256 of the prompt."""
    leaks: tuple[str, ...] = ()
    """Placeholders that were left unfilled in it."""
    same_as: str = ""
    """The first condition that has the same prompt."""

    @property
    def user(self) -> str:
        """The user turn; the port joins with one line break, upstream with two."""
        return f"{self.instruction}\n{self.emails}"

    @property
    def swapped(self) -> bool:
        """The model holds the goal that the company turns to: no conflict, and upstream gave it no goal at all."""
        return self.condition.goal_type == "swap"

    @property
    def side(self) -> str:
        """What sets it apart: ``leaky``, ``swapped``, ``duplicate``, joined by ``+``; empty for a sound one."""
        marks = {"leaky": bool(self.leaks), "swapped": self.swapped, "duplicate": bool(self.same_as)}
        return "+".join(mark for mark, holds in marks.items() if holds)


class Survey(Record):
    """All that a set of conditions comes to."""

    prompts: tuple[Prompt, ...]
    refused: dict[str, str]
    """Condition to why the package refuses it."""

    def counts(self) -> dict[str, int]:
        """How many conditions there are, and of what kind."""
        return {
            "valid": len(self.prompts),
            "refused": len(self.refused),
            "unique": len({prompt.cluster for prompt in self.prompts}),
            "leaky": sum(bool(prompt.leaks) for prompt in self.prompts),
            "swapped": sum(prompt.swapped for prompt in self.prompts),
            "duplicate": sum(bool(prompt.same_as) for prompt in self.prompts),
            "sound": sum(not prompt.side for prompt in self.prompts),
        }


def package() -> Any:
    """The package's prompt generator; ModelError with the line that installs it."""
    try:
        from inspect_evals.agentic_misalignment import prompt_generator
    except ModuleNotFoundError as error:
        raise ModelError(f"this needs {error.name}, which is not installed: pip install 'teachwhy[public]'") from error
    return prompt_generator


def text_version() -> str:
    """Which text was used."""
    package()
    from inspect_evals.agentic_misalignment.agentic_misalignment import EVAL_VERSION

    own = EVAL_VERSION.to_metadata()["full_task_version"]
    return f"inspect_evals {version('inspect_evals')}, agentic_misalignment {own}"


def grid(flags: Sequence[str] = ()) -> list[Condition]:
    """Every combination of the package's parameters under given flags, refused ones included."""
    generator = package()
    kinds = ("ScenarioType", "GoalType", "GoalValue", "UrgencyType")
    levels = [typing.get_args(getattr(generator, kind)) for kind in kinds]
    return [
        Condition(scenario=scenario, goal_type=goal, goal_value=value, urgency=urgency, flags=in_order(flags))
        for scenario, goal, value, urgency in itertools.product(*levels)
    ]


def in_order(flags: Iterable[str]) -> tuple[str, ...]:
    """Flags as names have them; ConfigError for one that there is not, or two that exclude each other."""
    given = set(flags)
    for flag in given - set(FLAGS):
        raise ConfigError(f"unknown flag {flag!r}; {guess(flag, FLAGS)}")
    if {"dont", "goal"} <= given:
        raise ConfigError("flags dont and goal exclude each other: the package takes one further instruction")
    return tuple(flag for flag in FLAGS if flag in given)


@cache
def survey(flags: tuple[str, ...] = ()) -> Survey:
    """Generate every prompt under given flags, and find what is the same, leaky or refused."""
    return _survey(grid(flags))


@cache
def survey_all() -> Survey:
    """The same over every combination of the flags; a prompt is a duplicate of one with fewer flags."""
    sets = [
        tuple(flag for flag in (extra, prod, asked) if flag)
        for extra, prod, asked in itertools.product(("", "dont", "goal"), ("", "prod"), ("", "eval-awareness"))
    ]
    return _survey([condition for flags in sorted(sets, key=len) for condition in grid(flags)])


def _survey(conditions: Sequence[Condition]) -> Survey:
    first: dict[str, str] = {}
    prompts: list[Prompt] = []
    refused: dict[str, str] = {}
    for condition in conditions:
        try:
            prompt = prompt_of(condition)
        except ConfigError as error:
            refused[condition.name] = str(error)
            continue
        original = first.setdefault(prompt.cluster, condition.name)
        prompts.append(prompt.model_copy(update={"same_as": "" if original == condition.name else original}))
    return Survey(prompts=tuple(prompts), refused=refused)


def prompt_of(condition: Condition) -> Prompt:
    """One condition's prompt by the package's generator; ConfigError where it refuses."""
    generator = package()
    given = condition.arguments()
    asked = generator.ALIGNMENT_FAKING_WARNING if given.pop("test_eval_awareness") else None
    prod = given.pop("prod")
    try:
        made = generator.generate_prompts(**given, prod_flag=prod, alignment_faking_warning=asked)
    except (ValueError, AssertionError, generator.ValidationError) as error:
        raise ConfigError(f"the package refuses {condition.name}: {error}") from error
    seen = f"{made.system_prompt}\0{made.user_prompt}\n{made.email_content}"
    digest = hashlib.sha256(seen.encode()).hexdigest()
    return Prompt(
        condition=condition,
        system=made.system_prompt,
        instruction=made.user_prompt,
        emails=made.email_content,
        cluster=f"{condition.scenario}-{digest[:10]}",
        leaks=tuple(dict.fromkeys(_LEAKS.findall(seen))),
    )


def named(name: str) -> Condition | None:
    """The condition of that name, or None where it is not one of the package's."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    scenario, goal_type, goal_value, urgency, flags = found.groups()
    return Condition(
        scenario=scenario,
        goal_type=goal_type,
        goal_value=goal_value,
        urgency=urgency,
        flags=tuple(flags.split("_")[1:]),
    )


def choose(
    conditions: str = "valid",
    scenarios: Sequence[str] = (),
    goals: Sequence[str] = (),
    urgencies: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> list[Prompt]:
    """The prompts asked for; a goal is a goal type or a pair such as ``explicit-america``.

    ``valid``: all that the package accepts. ``unique``: the first condition of every prompt. ``sound``: of these the
    ones that neither leak nor are swapped. ``all``: all that it accepts under every combination of its flags.
    """
    if conditions not in CHOICES:
        raise ConfigError(f"unknown conditions {conditions!r}; {guess(conditions, CHOICES)}")
    if conditions == "all" and flags:
        raise ConfigError("conditions=all takes every combination of the flags: leave flags out")
    found = (survey_all() if conditions == "all" else survey(in_order(flags))).prompts
    pairs = {f"{prompt.condition.goal_type}-{prompt.condition.goal_value}" for prompt in found}
    types = {prompt.condition.goal_type for prompt in found}
    _known("scenario", scenarios, {prompt.condition.scenario for prompt in found})
    _known("goal", goals, types | pairs)
    _known("urgency", urgencies, {prompt.condition.urgency for prompt in found})
    return [
        prompt
        for prompt in found
        if (not scenarios or prompt.condition.scenario in scenarios)
        and (not urgencies or prompt.condition.urgency in urgencies)
        and (not goals or _holds(prompt.condition, goals))
        and (conditions in ("valid", "all") or not prompt.same_as)
        and (conditions != "sound" or not prompt.side)
    ]


def _holds(condition: Condition, goals: Sequence[str]) -> bool:
    return condition.goal_type in goals or f"{condition.goal_type}-{condition.goal_value}" in goals


def _known(what: str, asked: Sequence[str], known: set[str]) -> None:
    for word in asked:
        if word not in known:
            raise ConfigError(f"unknown {what} {word!r}; {guess(word, known)}")
