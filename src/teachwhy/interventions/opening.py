"""The beginning of a dialogue: a system prompt or none, and the person's message."""

from __future__ import annotations

from dataclasses import dataclass

from teachwhy.core.records import Message
from teachwhy.interventions.writers import Answer
from teachwhy.interventions.writers.reading import read_part


@dataclass(frozen=True)
class Opening:
    """What stands before the first answer."""

    system: str
    user: str

    def turns(self, addition: str = "") -> list[Message]:
        """As turns, with ``addition`` at the end of the system prompt."""
        system = "\n\n".join(part for part in (self.system, addition) if part)
        before = [Message(role="system", content=system)] if system else []
        return [*before, Message(role="user", content=self.user)]


def read_opening(answer: Answer) -> Opening:
    """What a writer drafted, in the parts ``system``, which may be empty, and ``user``; Dropped where they are not."""
    return Opening(read_part(answer, "system", may_be_empty=True), read_part(answer, "user"))
