"""An experiment is one YAML file; everything in it is checked before anything is spent."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import load_mapping
from teachwhy.core.records import Record
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.registry import EVALS
from teachwhy.interventions import CONTROLS, INTERVENTIONS
from teachwhy.interventions.writers.roles import LIBRARY, Roles
from teachwhy.lab.phases import Rl, RlPhase, Stress, StressPhase
from teachwhy.lab.sizes import Share, Tokens, read_list
from teachwhy.organisms import STAGES
from teachwhy.training.recipe import Recipe
from teachwhy.worlds.scenes import FAMILIES, LOCKED

_ELSEWHERE = ("seed", "constitution", "model_name", "provider_name")
OWN = "own"
"""What a part of an arm is called that holds rows of one's own, ``own: {tokens: 20k, rows: mine.jsonl}``."""
HELD_OUT = ("blackmail", "research_sabotage", "framing")
"""The families that are held out where nothing else is said."""
_NAME = r"^[a-z0-9][a-z0-9._-]*$"


class Start(Record):
    """What is trained: a model, and the organism laid on it, if any."""

    model: str
    organism: str | None = None


class Measure(Plan):
    """How checkpoints are measured: the plan of a measurement, but for what the experiment says elsewhere."""

    provider: Literal["teachwhy", "vllm"] = "teachwhy"
    """Who samples: our own provider, on a CPU; or vLLM, on a GPU."""

    @model_validator(mode="after")
    def _elsewhere(self) -> Measure:
        for name in _ELSEWHERE:
            if name in self.model_fields_set:
                raise ValueError(f"{name!r} stands at the top of the file, not under 'measure'; move it there")
        if self.provider != "teachwhy" and "likelihood" in self.instruments:
            raise ValueError(f"{self.provider} tells no likelihood; name rollout or decision under 'instruments'")
        return self


class Part(Record):
    """An intervention of an arm."""

    tokens: Tokens
    without: tuple[str, ...] = ()
    """Stages left out, with a writer."""
    options: dict[str, str] = Field(default_factory=dict[str, str])
    """What else it is asked, such as ``injection: honesty``."""
    rows: Path | None = None
    """Rows that are there already, built before or your own: a folder or a file, in place of building."""


def _read_part(given: object) -> object:
    return cast("object", given) if isinstance(given, dict | Part) else {"tokens": given}


def _read_arm(given: object) -> object:
    """``{advice: 20k, surround: half, after: documents}`` -> its parts, and what else is said of it."""
    if not isinstance(given, dict):
        return given
    parts = dict(cast("dict[str, object]", given))
    own = {name: parts.pop(name) for name in ("surround", "after") if name in parts}
    return {"parts": parts, **own}


class Arm(Record):
    """What an arm trains on."""

    parts: dict[str, Annotated[Part, BeforeValidator(_read_part)]]
    surround: Share = 0.0
    """Share of its rows that gets tools that are not needed and a system prompt."""
    after: str | None = None
    """The arm that it goes on from, in place of the start model: documents first, chats upon them."""


class Experiment(Record):
    """The experiment file."""

    name: str = Field(pattern=_NAME)
    start: Start
    constitution: str = "default"
    model_name: str = "the model"
    """What the constitution and the documents call the model."""
    provider_name: str = "its makers"
    held_out: tuple[str, ...] = HELD_OUT
    """Families that no arm may train on."""
    arms: dict[Annotated[str, Field(pattern=_NAME)], Annotated[Arm, BeforeValidator(_read_arm)]]
    """Arm to its interventions, each with its budget in tokens."""
    controls: dict[str, str] = Field(default_factory=dict[str, str])
    """Control to the arm that it is matched to; each becomes an arm of its own name."""
    roles: dict[str, Any] = Field(default_factory=lambda: {"writer": LIBRARY})
    """Who writes the rows: ``{writer: library}``, or role to model as Inspect names it."""
    families: tuple[str, ...] = ()
    """Families that arms train on; empty for all that are not held out."""
    control: str = "replay"
    recipe: Recipe = Recipe()
    evals: tuple[str, ...] = Field(default=("honeypots",), min_length=1)
    """What is measured; honeypots are always among it."""
    measure: Measure = Measure()
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    rl: Annotated[tuple[Rl, ...], BeforeValidator(read_list)] = ()
    """What arms go on with by reinforcement learning, each checkpoint of it measured; one entry or several."""
    stress: Stress | None = None
    """What arms are trained on to see whether what they learnt lasts."""
    unfit: bool = False
    """Go on although the start model fails its fitness check; the report says so on top."""

    @field_validator("evals")
    @classmethod
    def _evals_exist(cls, evals: tuple[str, ...]) -> tuple[str, ...]:
        for name in evals:
            _expect("eval", name, EVALS)
        if len(set(evals)) != len(evals):
            raise ValueError(f"{list(evals)} names one twice")
        if "honeypots" not in evals:
            raise ValueError("every word of the report rests on 'honeypots'; put it into the list")
        return evals

    @model_validator(mode="after")
    def _names_exist(self) -> Experiment:
        for family in (*self.held_out, *self.families, *self.measure.families):
            _expect("family", family, FAMILIES)
        for family in (*self.families, *self.held_out):
            if family in LOCKED:
                raise ValueError(f"{family!r} is locked: no arm trains on it in any case; drop it from the list")
        for family in self.families:
            if family in self.held_out:
                raise ValueError(f"families: {family!r} is held out, and no arm may train on it; drop it from one list")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: {list(self.seeds)} names one twice")
        if self.start.organism is not None:
            _expect("organism", self.start.organism, STAGES)
        return self

    @model_validator(mode="after")
    def _arms_can_be(self) -> Experiment:
        before: list[str] = []
        for name, arm in self.arms.items():
            if not arm.parts:
                raise ValueError(f"arm {name!r} holds no intervention; {guess('', INTERVENTIONS)}")
            if arm.after is not None:
                _expect(f"arm {name!r}: after: arm", arm.after, [one for one in before if one != name])
            before.append(name)
            for intervention, part in arm.parts.items():
                if part.rows is None or intervention != OWN:
                    _expect(f"arm {name!r}: intervention", intervention, INTERVENTIONS)
        for control, arm in self.controls.items():
            _expect("controls: control", control, CONTROLS)
            _expect(f"controls: {control}: arm", arm, self.arms)
            if control in self.arms:
                raise ValueError(f"controls: {control!r} is an arm already; drop it from one of the two")
        _expect("control: arm", self.control, self.all_arms())
        return self

    @model_validator(mode="after")
    def _phases_can_be(self) -> Experiment:
        for key, entries in (("rl", self.rl), ("stress", (self.stress,) if self.stress else ())):
            for arm in (arm for entry in entries for arm in entry.arms):
                _expect(f"{key}: from: arm", arm, self.all_arms())
        names = [phase.name for phase in self.rl_phases()]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"rl: there are two entries for {name!r}; join them into one")
        self.stress_phases()  # for a recipe that cannot be
        return self

    @field_validator("roles")
    @classmethod
    def _roles_bind(cls, roles: dict[str, Any]) -> dict[str, Any]:
        if roles.get("writer") != LIBRARY:
            Roles.model_validate(roles)
        elif len(roles) > 1:
            raise ValueError("the library writes alone; name a model for the writer, or no other role")
        return roles

    def all_arms(self) -> tuple[str, ...]:
        """Every arm, the controls after those that they control."""
        return (*self.arms, *self.controls)

    def rl_phases(self) -> list[RlPhase]:
        """Every phase of reinforcement learning."""
        return [phase for entry in self.rl for phase in entry.phases()]

    def stress_phases(self) -> list[StressPhase]:
        """Every dose of the stress."""
        return self.stress.phases(self.recipe) if self.stress else []

    def roles_of(self, intervention: str) -> Roles | None:
        """Who writes an intervention's rows; None for the library, and for what needs no writer."""
        if self.roles["writer"] == LIBRARY or INTERVENTIONS[intervention].pipeline is None:
            return None
        return Roles.model_validate(self.roles)

    def plan(self, seed: int) -> Plan:
        """How a checkpoint trained with this seed is measured."""
        names = {"constitution": self.constitution, "model_name": self.model_name, "provider_name": self.provider_name}
        return Plan.model_validate({**self.measure.model_dump(exclude={"provider"}), **names, "seed": seed})

    def training_families(self) -> tuple[str, ...]:
        """The families whose scenes arms may be built from."""
        return self.families or tuple(name for name in FAMILIES if name not in (*self.held_out, *LOCKED))


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
    keys = [str(part) for part in first["loc"]]
    if keys[:1] == ["arms"] and keys[2:3] == ["parts"]:
        del keys[2]  # no key of the file: its parts are written straight into an arm
    place = ".".join(keys)
    if first["type"] == "extra_forbidden":
        *parents, key = keys
        return f"unknown key {place!r}; {guess(key, _known(parents))}"
    if first["type"] == "string_pattern_mismatch" and keys[0] == "roles":
        return f"{place}: {first['input']!r} is no model; write provider/model as Inspect does, or 'library'"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _known(parents: list[str]) -> list[str]:
    kinds = {"start": Start, "measure": Measure, "recipe": Recipe, "arms": Part}
    kind = kinds.get(parents[0], Experiment) if parents else Experiment
    return list(kind.model_fields)
