"""Reads the surroundings: tools that are offered and not needed, and system prompts of many makes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import load_mapping, split_front_matter
from teachwhy.core.records import Record

HERE = Path(__file__).parent / "surround"


class Surrounding(Record):
    """A system prompt, and the domains whose tools would be there."""

    id: str
    domains: tuple[str, ...] = Field(min_length=1)
    text: str


class _Tool(Record):
    about: str
    args: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    optional: tuple[str, ...] = ()


@cache
def surrounding_tools() -> dict[str, list[dict[str, Any]]]:
    """Domain to its tools as JSON schemas, ``tools/<domain>.yaml``."""
    return {path.stem: _tools(path) for path in sorted((HERE / "tools").glob("*.yaml"))}


@cache
def surroundings() -> list[Surrounding]:
    """The system prompts, ``systems/<slug>.md``, sorted."""
    found: list[Surrounding] = []
    for path in sorted((HERE / "systems").glob("*.md")):
        front, body = split_front_matter(path.read_text(encoding="utf-8"), f"systems/{path.name}")
        found.append(Surrounding.model_validate({"id": path.stem, **front, "text": body.strip()}))
        for domain in found[-1].domains:
            if domain not in surrounding_tools():
                raise ConfigError(f"systems/{path.name}: there are no tools for the domain {domain!r}")
    return found


def _tools(path: Path) -> list[dict[str, Any]]:
    where = f"tools/{path.name}"
    try:
        tools = TypeAdapter(dict[str, _Tool]).validate_python(load_mapping(path.read_text(encoding="utf-8"), where))
    except ValidationError as error:
        raise ConfigError(f"{where}: {error.errors()[0]['msg']}") from None
    return [_schema(name, tool) for name, tool in tools.items()]


def _schema(name: str, tool: _Tool) -> dict[str, Any]:
    properties = {
        argument: {"type": "string"} if isinstance(choices, str) else {"type": "string", "enum": list(choices)}
        for argument, choices in tool.args.items()
    }
    required = [argument for argument in tool.args if argument not in tool.optional]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": tool.about, "parameters": parameters}}
