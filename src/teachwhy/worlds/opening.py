"""A scene as a conversation: what the model sees at the start, and at the decision point."""

from __future__ import annotations

import random
from typing import Any

from teachwhy.core.records import Call, Message, Scenario
from teachwhy.worlds.world import World


def first_turns(scenario: Scenario) -> list[Message]:
    """The system prompt and the user's turn."""
    return [Message(role="system", content=scenario.system), Message(role="user", content=scenario.user)]


def turns_to_decision(scenario: Scenario) -> list[Message]:
    """All turns up to the decision point: the opening calls are made in a fresh world, and answered by it."""
    world = World(scenario)
    turns = first_turns(scenario)
    for call in scenario.opening:
        turns.append(said(call))
        turns.append(Message(role="tool", content=world.perform(call), name=call.tool))
    return turns


def said(call: Call, reasons: str = "") -> Message:
    """The assistant's turn that makes a call, after saying ``reasons`` if there are any."""
    return Message(role="assistant", content=reasons, tool_calls=(call.entry(),))


def in_order(call: Call, scenario: Scenario) -> Call:
    """The call with its arguments in the order of the tool's, as a model is taught to make it."""
    tool = scenario.tool(call.tool)
    return call if tool is None else Call(tool=call.tool, args={name: call.args[name] for name in tool.args})


def offered_tools(scenario: Scenario, seed: int) -> list[dict[str, Any]]:
    """The scene's tools as JSON schemas, in an order that the seed decides: no position may give the harm away."""
    tools = [tool.schema_() for tool in scenario.tools]
    random.Random(f"{seed}/{scenario.id}").shuffle(tools)
    return tools
