"""What is done to arms after their own training, to see whether what they learnt lasts: RL, and stress."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from teachwhy.core.records import Record
from teachwhy.lab.sizes import Share, Tokens, read_list
from teachwhy.training.recipe import Recipe
from teachwhy.training.rl_recipe import RLRecipe

CONFLICT = 0.02
"""Share of conflicting rows where none is named; in independent work so many overrode 190M tokens of documents."""

Method = Literal["lora", "full"]


class RlPhase(Record):
    """Reinforcement learning, from checkpoint to checkpoint."""

    name: str
    """What the report calls it; phases that differ in size alone share it."""
    arms: tuple[str, ...]
    environments: tuple[str, ...]
    surround: float
    """Share of the prompts with tools that are not needed and a system prompt around them."""
    recipe: RLRecipe


class StressPhase(Record):
    """A training on other rows."""

    name: str
    """The doses of one series share it."""
    arms: tuple[str, ...]
    tokens: int
    conflict: float
    """Share of rows that contradict the constitution; 0 for ordinary rows alone."""
    recipe: Recipe

    @property
    def rows(self) -> str:
        """What its rows are kept under: the same for every arm and method."""
        return f"conflict-{self.conflict:g}-{self.tokens}" if self.conflict else f"wash-out-{self.tokens}"


def _read_methods(given: object) -> object:
    """``[lora, full]`` stands for both as the recipe has them."""
    if not isinstance(given, list):
        return given
    nothing: dict[str, Any] = {}
    return dict.fromkeys(cast("list[Any]", given), nothing)


class Rl(Record):
    """An entry under ``rl``: which arms go on by reinforcement learning, and in what."""

    environments: tuple[str, ...] = Field(min_length=1)
    """Names of ours, or any Inspect task with a scorer."""
    surround: Annotated[tuple[Share, ...], BeforeValidator(read_list)] = (0.0,)
    """Shares of surrounded prompts; each is a phase of its own, so that they can be compared."""
    arms: tuple[str, ...] = Field(alias="from", min_length=1)
    recipe: RLRecipe = RLRecipe()

    def phases(self) -> list[RlPhase]:
        """One for each share of surrounded prompts."""
        short = " + ".join(name.rpartition("/")[2].rpartition("@")[2] for name in self.environments)
        return [
            RlPhase(
                name=f"rl {short}{_around(share)}{_suffix(self.recipe.method)}",
                arms=self.arms,
                environments=self.environments,
                surround=share,
                recipe=self.recipe,
            )
            for share in self.surround
        ]


class Stress(Record):
    """Under ``stress``: which arms are trained on ordinary rows, and on a few that contradict the constitution."""

    arms: tuple[str, ...] = Field(alias="from", min_length=1)
    wash_out: tuple[Tokens, ...] = ()
    """Doses of ordinary rows; each is a training of its own."""
    conflict: tuple[Tokens, ...] = ()
    """Doses of ordinary rows with conflicting ones among them."""
    share: float = Field(default=CONFLICT, gt=0, lt=1)
    """Of conflicting rows."""
    methods: Annotated[dict[Method, dict[str, Any]], BeforeValidator(_read_methods)] = Field(
        default_factory=lambda: cast("dict[Method, dict[str, Any]]", {"lora": {}}), min_length=1
    )
    """How they are trained: a method, and what it changes of the experiment's recipe."""

    @model_validator(mode="after")
    def _has_doses(self) -> Stress:
        if not self.wash_out and not self.conflict:
            raise ValueError("it trains on nothing; give doses under wash_out or conflict, such as [5k, 20k]")
        return self

    def phases(self, recipe: Recipe) -> list[StressPhase]:
        """Method by method: the wash-out, dose by dose, then the conflict. Raises pydantic's ValidationError."""
        kinds = [("wash-out", 0.0, self.wash_out), (f"conflict {self.share:.0%}", self.share, self.conflict)]
        return [
            StressPhase(
                name=f"{name}{_suffix(method)}",
                arms=self.arms,
                tokens=dose,
                conflict=share,
                recipe=Recipe.model_validate({**recipe.model_dump(), **changes, "method": method}),
            )
            for method, changes in self.methods.items()
            for name, share, doses in kinds
            for dose in sorted(doses)
        ]


def _around(share: float) -> str:
    words = {0.0: "", 0.5: ", half surrounded", 1.0: ", surrounded"}
    return words.get(share, f", {share:.0%} surrounded")


def _suffix(method: Method) -> str:
    return " (full)" if method == "full" else ""
