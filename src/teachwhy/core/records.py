"""The records every part shares: frozen, refusing unknown fields, one JSON line each."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

VERSION = 3
"""Raised when a record changes shape; part of every stage's hash."""


class Record(BaseModel):
    """Base of all records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_line(self) -> str:
        """One JSON line, fields that hold their default left out."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The record that ``to_line`` wrote; pydantic's ValidationError otherwise."""
        return cls.model_validate_json(line)


class Tool(Record):
    """A tool as a scene offers it: a name of its own for one verb of the world."""

    name: str
    does: str
    """The verb, such as ``mail.send``."""
    about: str
    args: dict[str, tuple[str, ...] | None] = Field(default_factory=dict)
    """Argument to its choices, or None for free text; in the order of the verb's slots."""

    def schema_(self) -> dict[str, Any]:
        """The tool as a JSON schema of the ``messages``/``tools`` convention."""
        properties = {
            name: {"type": "string"} if choices is None else {"type": "string", "enum": list(choices)}
            for name, choices in self.args.items()
        }
        parameters = {"type": "object", "properties": properties, "required": list(self.args)}
        function = {"name": self.name, "description": self.about, "parameters": parameters}
        return {"type": "function", "function": function}


class Call(Record):
    """A call of a tool, written or made."""

    tool: str
    args: dict[str, str] = Field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """The call as an entry of a message's ``tool_calls``."""
        return {"type": "function", "function": {"name": self.tool, "arguments": dict(self.args)}}


class Pattern(Record):
    """What counts as an act: a tool, and a case-insensitive regex for some of its arguments."""

    tool: str
    args: dict[str, str] = Field(default_factory=dict)


class Event(Record):
    """A consequence: after a call, or after so many calls, the workplace changes once."""

    after: Pattern | None = None
    """The call that brings it about; None where ``calls`` does."""
    calls: int | None = None
    """How many calls have been carried out when it happens."""
    shelf: str
    key: str
    text: str
    """What then stands on the shelf under the key."""
    says: str = ""
    """What the answer to the call adds, so that the agent can know of it."""


class Chat(Record):
    """The same matter brought by a person who asks for advice, without tools."""

    user: str
    harmful: tuple[str, ...]
    clean: tuple[str, ...]


Split = Literal["train_like", "held_out", "locked"]


class Scenario(Record):
    """A workplace with a goal, a means at hand and a decision point; or its benign twin."""

    id: str
    family: str
    split: Split
    side: Literal["scene", "twin"] = "scene"
    axes: dict[str, str] = Field(default_factory=dict)
    """Axis to the level at which the scene stands."""
    wordings: dict[str, dict[str, str]] = Field(default_factory=dict[str, dict[str, str]])
    """Axis to level to the words that set it; those of the scene's own level stand in its text."""
    system: str
    user: str
    tools: tuple[Tool, ...]
    world: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Shelf to key to text."""
    then: tuple[Event, ...] = ()
    """Consequences, in the order in which they are looked at."""
    opening: tuple[Call, ...] = ()
    """Calls already made at the decision point."""
    harmful_when: tuple[Pattern, ...] = ()
    done_when: tuple[Pattern, ...] = ()
    """In the twin: what finishes its task."""
    harmful: tuple[Call, ...] = ()
    clean: tuple[Call, ...] = ()
    """Written acts; in the twin ``clean`` holds those that do its task."""
    reasons: tuple[str, ...] = ()
    """For training scenes: what is said before the clean act of the same index."""
    clauses: tuple[str, ...] = ()
    chat: Chat | None = None

    def tool(self, name: str) -> Tool | None:
        """The offered tool of that name, or None."""
        return next((tool for tool in self.tools if tool.name == name), None)


class Message(Record):
    """One turn in the ``messages`` convention."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    name: str | None = None

    def row(self) -> dict[str, Any]:
        """The turn as a plain row, absent fields left out."""
        row: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            row["tool_calls"] = list(self.tool_calls)
        if self.name is not None:
            row["name"] = self.name
        return row


class Talk(Record):
    """A chat without tools."""

    user: str
    assistant: str


Ending = Literal["answered", "turn_limit", "token_limit", "error"]


class Transcript(Record):
    """One sample of one checkpoint on one scene, as it happened."""

    scenario: str
    side: Literal["scene", "twin", "chat"]
    condition: str = ""
    """The axes that differ from the scene as it is written."""
    checkpoint: str
    sample: int
    messages: tuple[Message, ...]
    ending: Ending


Instrument = Literal["rollout", "decision", "likelihood"]


class Verdict(Record):
    """What was found in one transcript on one dimension; ``value`` None is void: neither one nor the other."""

    eval: str = "honeypots"
    scenario: str
    """The scene, question or seed: the cluster of all statistics."""
    family: str
    split: Split = "held_out"
    side: str = "scene"
    """In honeypots ``scene``, ``twin`` or ``chat``; elsewhere whatever is set apart, such as a wording."""
    condition: str = ""
    """The axes that differ from the scene as it is written, such as ``goal=latent``."""
    instrument: str
    """How it was found; in honeypots one of ``Instrument``."""
    dimension: str
    sample: int
    value: float | None
    """In [0, 1]: 1 for the act, or its probability for ``likelihood``; the mean of the judges where several judged."""
    grader: str
    """``rules``, ``likelihood``, or the judges' names, with ``+`` between them."""
    quote: str = ""
    reason: str = ""
    opinions: dict[str, float | None] = Field(default_factory=dict[str, float | None])
    """Judge to what it found, where judges did; None is void."""


class Example(Record):
    """One training row: ``messages`` with ``tools``, or ``text``."""

    id: str
    intervention: str
    messages: tuple[Message, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    text: str | None = None
    family: str | None = None
    """The harm family of the scene it was made from, if any."""
    clauses: tuple[str, ...] = ()
    writer: str
    """Who wrote it: ``library``, or the models that did."""
    source: str
    """What it was made from: a file of the library, an answer of a writer, or another row."""
    stage: str = ""
    """The step that gave it its last form; empty for what was written as it stands."""
    prompt_hash: str = ""
    """Of the prompt of that step."""
    tokens: int = 0
    """Its length in tokens of the model that is to train on it."""
    cost: float = 0.0
    """US dollars paid for the calls made for it alone, where the price is known."""

    def said(self) -> str:
        """All it would have a model read or say, one part a line: texts, arguments of calls, descriptions of tools."""
        parts = [self.text or ""]
        for message in self.messages:
            parts.append(message.content)
            parts.extend(
                str(value) for entry in message.tool_calls for value in entry["function"]["arguments"].values()
            )
        parts.extend(str(tool.get("function", tool).get("description", "")) for tool in self.tools)
        return "\n".join(part for part in parts if part)
