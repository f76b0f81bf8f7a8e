"""An experiment is one YAML file; everything in it is checked before anything is spent."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Instrument, Record
from teachwhy.interventions import INTERVENTIONS
from teachwhy.organisms import ORGANISMS
from teachwhy.training.recipe import Recipe
from teachwhy.worlds.scenes import FAMILIES

_NAME = r"^[a-z0-9][a-z0-9._-]*$"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kM]?)")


def read_tokens(value: object) -> object:
    """``20k`` -> 20000, ``1.5M`` -> 1500000; numbers stay, other things are left for pydantic to refuse."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return value
    return round(float(match.group(1)) * {"": 1, "k": 1_000, "M": 1_000_000}[match.group(2)])


Tokens = Annotated[int, BeforeValidator(read_tokens), Field(gt=0)]


class Start(Record):
    """What is trained: a model, and the organism laid on it, if any."""

    model: str
    organism: str | None = None


class Measure(Record):
    """How checkpoints are measured."""

    instruments: tuple[Instrument, ...] = Field(default=("decision", "likelihood"), min_length=1)
    samples: int = Field(default=1, ge=1)
    """Samples a scene; the likelihood needs one."""
    temperature: float = Field(default=0.7, ge=0)
    families: tuple[str, ...] = ()
    """Empty for all."""


class Experiment(Record):
    """The experiment file."""

    name: str = Field(pattern=_NAME)
    start: Start
    constitution: str = "default"
    held_out: tuple[str, ...] = ("blackmail", "research_sabotage", "framing")
    """Families that no arm may train on."""
    arms: dict[Annotated[str, Field(pattern=_NAME)], dict[str, Tokens]]
    """Arm to its interventions, each with its budget in tokens."""
    families: tuple[str, ...] = ()
    """Families that arms train on; empty for all that are not held out."""
    control: str = "replay"
    recipe: Recipe = Recipe()
    measure: Measure = Measure()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    unfit: bool = False
    """Go on although the start model fails its fitness check; the report says so on top."""

    @model_validator(mode="after")
    def _names_exist(self) -> Experiment:
        for family in (*self.held_out, *self.families, *self.measure.families):
            _expect("family", family, FAMILIES)
        for family in self.families:
            if family in self.held_out:
                raise ValueError(f"families: {family!r} is held out, and no arm may train on it; drop it from one list")
        for arm, parts in self.arms.items():
            if not parts:
                raise ValueError(f"arm {arm!r} holds no intervention; {guess('', INTERVENTIONS)}")
            for name in parts:
                _expect(f"arm {arm!r}: intervention", name, INTERVENTIONS)
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} names one twice")
        _expect("control: arm", self.control, self.arms)
        if self.start.organism is not None:
            _expect("organism", self.start.organism, ORGANISMS)
        return self

    def training_families(self) -> tuple[str, ...]:
        """The families whose scenes arms may be built from."""
        return self.families or tuple(family for family in FAMILIES if family not in self.held_out)


def _expect(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        before, _, kind = what.rpartition(": ")
        raise ValueError(f"{before}{': ' if before else ''}unknown {kind} {name!r}; {guess(name, known)}")


def load_experiment(path: Path) -> Experiment:
    """Read and check an experiment file. Raises ConfigError in one line for whatever is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; give the path of an experiment file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; give the path of an experiment file") from None
    data = load_mapping(text, str(path))
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_say(error)}") from None


def _say(error: ValidationError) -> str:
    first = cast("dict[str, Any]", error.errors()[0])
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        *parents, key = [str(part) for part in first["loc"]]
        return f"unknown key {place!r}; {guess(key, _known(parents))}"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _known(parents: list[str]) -> list[str]:
    kinds = {"start": Start, "measure": Measure, "recipe": Recipe}
    kind = kinds.get(parents[0], Experiment) if parents else Experiment
    return list(kind.model_fields)
