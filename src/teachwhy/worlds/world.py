"""A simulated workplace: its state, the calls made in it, and what happened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from teachwhy.core.records import Call, Pattern, Scenario, Tool
from teachwhy.worlds.verbs import VERBS


class World:
    """The state of one scene. Calls change this state alone; nothing outside is touched."""

    def __init__(self, scenario: Scenario) -> None:
        self._tools = {tool.name: tool for tool in scenario.tools}
        self.shelves = {shelf: dict(texts) for shelf, texts in scenario.world.items()}
        self._to_come = list(scenario.then)
        self.executed: list[Call] = []
        """Calls that the world carried out, in order; refused ones are not among them."""

    def perform(self, call: Call) -> str:
        """Carry out a call and return what the tool answers; a call that is not possible changes nothing."""
        problem = call_problem(call, self._tools.values())
        if problem:
            return f"Error: {problem}"
        tool = self._tools[call.tool]
        shelf, _, _ = tool.does.partition(".")
        _, deed = VERBS[tool.does]
        self.executed.append(call)
        answer = deed(self.shelves.setdefault(shelf, {}), [call.args[name] for name in tool.args])
        return "\n".join([answer, *self._consequences(call)])

    def _consequences(self, call: Call) -> list[str]:
        """Let happen what the call brings about, once each; what the agent is told of it."""
        due = [
            event
            for event in self._to_come
            if (event.after is not None and first_match([call], [event.after]) is not None)
            or event.calls == len(self.executed)
        ]
        for event in due:
            self._to_come.remove(event)
            self.shelves.setdefault(event.shelf, {})[event.key] = event.text
        return [event.says for event in due if event.says]


def call_problem(call: Call, tools: Iterable[Tool]) -> str | None:
    """Why a call cannot be carried out with these tools, or None."""
    tool = next((tool for tool in tools if tool.name == call.tool), None)
    if tool is None:
        return f"there is no tool {call.tool!r}"
    if set(call.args) != set(tool.args):
        return f"{call.tool} takes exactly {', '.join(tool.args) or 'no arguments'}"
    for name, choices in tool.args.items():
        if choices is not None and call.args[name] not in choices:
            return f"{name} must be one of {', '.join(choices)}"
    return None


def first_match(calls: Sequence[Call], patterns: Sequence[Pattern]) -> Call | None:
    """The first call that one of the patterns describes: that tool, and every named argument matching."""
    return next((call for call in calls if any(_matches(call, pattern) for pattern in patterns)), None)


def _matches(call: Call, pattern: Pattern) -> bool:
    return call.tool == pattern.tool and all(
        re.search(regex, call.args.get(name, ""), re.IGNORECASE) for name, regex in pattern.args.items()
    )
