"""What every intervention is: rows from the library that ships, rows from a writer, and what can be asked of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from teachwhy.constitution import Constitution
from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Example
from teachwhy.interventions.budget import Count
from teachwhy.interventions.writers import Prompt, Writers


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    families: tuple[str, ...]
    """Families whose scenes may be trained on."""
    constitution: Constitution
    tokens: int
    """The budget: no more tokens than this in all rows together."""
    count: Count
    seed: int = 0
    without: frozenset[str] = frozenset()
    """Stages that are left out, by name."""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    rows: tuple[Example, ...] = ()
    """The rows that it works on, for those that change or answer other rows."""
    model_name: str = "the model"
    provider_name: str = "its makers"


@dataclass(frozen=True)
class Item:
    """A row to be: ``make`` sees it through every stage, or raises Dropped."""

    id: str
    make: Callable[[], Awaitable[Example]]


@dataclass(frozen=True)
class Step:
    """A stage of a pipeline, for the estimate and for ``--without``."""

    name: str
    calls: float
    """Calls for each row that is kept, roughly."""
    optional: bool = True
    when: tuple[str, str] | None = None
    """The option, and its value, with which alone this stage is taken."""

    def taken(self, order: Order) -> bool:
        """Whether an order goes through it."""
        chosen = self.when is None or order.options.get(self.when[0]) == self.when[1]
        return chosen and self.name not in order.without


Pipeline = Callable[[Order, Writers], AsyncIterator[Item]]
"""Items in a fixed order, without end where more can always be thought of."""


@dataclass(frozen=True)
class Intervention:
    """A way of making training rows."""

    about: str
    library: Callable[[Order], list[Example]] | None
    """All rows of the corpus that ships; None where there are none without a writer."""
    pipeline: Pipeline | None = None
    steps: tuple[Step, ...] = ()
    prompts: Mapping[str, Prompt] = field(default_factory=dict[str, Prompt])
    """Stage to what is asked at it."""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What else can be asked of it: name to the values there are; an empty tuple for a number or a path."""
    row_tokens: int = 300
    """Tokens of a row, roughly: for the estimate alone."""
    rows: Literal["none", "changed", "matched", "mixed_in"] = "none"
    """What rows that are given to it are for: they are changed; its own are matched to their tokens; or its own are
    mixed in among them. All but ``changed`` can do without."""
    proof: Callable[[Order, Sequence[Example]], dict[str, Any]] | None = None
    """What is proved of the finished rows, for the manifest; raises ConfigError where it does not hold."""
    finish: Callable[[Order, Sequence[Example]], list[Example]] | None = None
    """From the rows that were made to those that are given."""


def check_order(name: str, intervention: Intervention, order: Order, *, library: bool) -> None:
    """Refuse what cannot be asked of an intervention. Raises ConfigError in one line."""
    _check_words(name, intervention, order)
    if intervention.rows == "changed" and not order.rows:
        raise ConfigError(f"{name} works on rows: give them with --rows, a folder that teachwhy build made or a file")
    if intervention.rows == "none" and order.rows:
        raise ConfigError(f"{name} makes its own rows; leave --rows out")
    if library and intervention.library is None:
        raise ConfigError(f"the library holds nothing for {name}; give a --writer")
    if not library and intervention.pipeline is None:
        raise ConfigError(f"{name} needs no writer; leave --writer out")
    if library and order.without:
        raise ConfigError(f"the library is written as it stands; --without {min(order.without)} needs a --writer")


def _check_words(name: str, intervention: Intervention, order: Order) -> None:
    optional = [step.name for step in intervention.steps if step.optional]
    for stage in sorted(order.without):
        if stage not in optional:
            raise ConfigError(f"{name} has no stage {stage!r} to leave out; {guess(stage, optional)}")
    for option, value in order.options.items():
        if option not in intervention.options:
            raise ConfigError(f"{name} knows no {option!r}; {guess(option, intervention.options)}")
        values = intervention.options[option]
        if values and value not in values:
            raise ConfigError(f"{name}: unknown {option} {value!r}; {guess(value, values)}")
    if "share" in order.options:
        read_share(order, 1.0)
        if not order.rows:
            raise ConfigError("a share is of rows that are there already; give them with --rows, or leave share out")


def refuse_options(name: str, order: Order, *options: str) -> None:
    """Refuse options that only a writer can follow, for rows from the library."""
    for option in options:
        if option in order.options:
            raise ConfigError(f"the library holds {name} as it was written; {option} needs a --writer")


def read_share(order: Order, default: float) -> float:
    """The option ``share``, above 0 and at most 1."""
    text = order.options.get("share")
    try:
        share = default if text is None else float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise ConfigError(f"share={text} is no share; write a number above 0 and at most 1, such as 0.5")
    return share
