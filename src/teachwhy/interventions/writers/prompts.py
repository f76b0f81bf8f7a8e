"""Prompts as people write them: one Markdown file each, with the role that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import fill, sections, split_front_matter
from teachwhy.core.records import Message, Record
from teachwhy.core.store import content_key
from teachwhy.interventions.writers.roles import Role


class Prompt(Record):
    """What is asked, of whom, and how long the answer may be."""

    name: str
    """``advice/draft``: the intervention, and the stage."""
    role: Role
    temperature: float = Field(default=1.0, ge=0)
    max_tokens: int = Field(default=2048, gt=0)
    reads: int = Field(gt=0)
    """Tokens that a filled prompt has, roughly: for the estimate alone."""
    writes: int = Field(gt=0)
    """Tokens that an answer has, roughly."""
    system: str = ""
    user: str = ""
    """Empty where the turns come from elsewhere, and only the settings count."""

    @property
    def hash(self) -> str:
        """Stands for the wording."""
        return content_key([self.system, self.user])

    @property
    def stage(self) -> str:
        """The stage it belongs to."""
        return self.name.rpartition("/")[2]

    def turns(self, values: Mapping[str, str]) -> list[Message]:
        """The prompt with its slots filled in one pass; ConfigError for a slot without a value."""
        system = [Message(role="system", content=fill(self.system, values, self.name))] if self.system else []
        return [*system, Message(role="user", content=fill(self.user, values, self.name))]


@cache
def load_prompts(folder: Path) -> Mapping[str, Prompt]:
    """The prompts of an intervention, ``<folder>/prompts/<stage>.md``, by stage.

    Raises ConfigError, naming the file, for one that is not in the form.
    """
    return {path.stem: _read(path, folder.name) for path in sorted((folder / "prompts").glob("*.md"))}


def _read(path: Path, intervention: str) -> Prompt:
    where = f"{intervention}/prompts/{path.name}"
    front, body = split_front_matter(path.read_text(encoding="utf-8"), where)
    parts = {heading.lower(): text for heading, text in sections(body)}
    for heading in parts:
        if heading not in ("system", "user"):
            raise ConfigError(f"{where}: unknown heading {heading!r}; {guess(heading, ['system', 'user'])}")
    try:
        return Prompt.model_validate({"name": f"{intervention}/{path.stem}", **front, **parts})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
