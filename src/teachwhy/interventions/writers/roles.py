"""Which model plays which part: bound once, here, and pinned."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Record

Role = Literal["drafter", "reviewer", "writer", "judge"]
ROLES: dict[Role, str] = {
    "drafter": "thinks up principles, situations, drafts of prompts and of documents",
    "reviewer": "reads drafts and makes them better",
    "writer": "gives the answers that are trained on",
    "judge": "says what may be kept",
}
"""Role to what it does."""

LIBRARY = "library"
"""The writer that is no model: the corpus that ships."""


class Price(Record):
    """US dollars for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)

    def of(self, reads: int, writes: int) -> float:
        """The price of so many tokens read and written."""
        return (reads * self.input + writes * self.output) / 1e6


class Binding(Record):
    """A model as Inspect names it, what it is called with, and what it costs."""

    model: str = Field(pattern=r"^[^\s/]+/\S+$")
    args: dict[str, Any] = Field(default_factory=dict)
    """Passed to Inspect's provider."""
    price: Price | None = None

    @model_validator(mode="after")
    def _pinned(self) -> Binding:
        routed = self.model.startswith("openrouter/")
        if routed and not {"only", "order"} & set(self.args.get("provider", {})):
            raise ValueError(
                f"{self.model} could be served by any provider; pin one: args: {{provider: {{only: [NAME]}}}}"
            )
        return self


class Roles(Record):
    """The model of each role; whoever is not named is the writer."""

    writer: Binding
    drafter: Binding
    reviewer: Binding
    judge: Binding

    @model_validator(mode="before")
    @classmethod
    def _writer_stands_in(cls, given: Any) -> object:
        if not isinstance(given, dict) or "writer" not in given:
            return cast("object", given)
        named = cast("dict[str, object]", given)
        return {**dict.fromkeys(ROLES, named["writer"]), **named}

    @field_validator("*", mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"model": given} if isinstance(given, str) else given

    def of(self, role: Role) -> Binding:
        """The binding of a role."""
        binding: Binding = getattr(self, role)
        return binding

    def priced(self) -> bool:
        """Whether the price of every role's model is known."""
        return all(self.of(role).price is not None for role in ROLES)

    def names(self) -> dict[str, str]:
        """Role to model."""
        return {role: self.of(role).model for role in ROLES}


def require_prices(roles: Roles) -> None:
    """Refuse a limit on money where a price is missing."""
    for role in ROLES:
        if roles.of(role).price is None:
            raise ConfigError(
                f"a limit in dollars needs the price of {roles.of(role).model} ({role}): give it as "
                "{model: NAME, price: {input: 3, output: 15}} in dollars for a million tokens"
            )
