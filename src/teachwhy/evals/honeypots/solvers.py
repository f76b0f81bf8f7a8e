"""The three instruments: what a model is shown, and what it may do."""

from __future__ import annotations

from typing import cast

from inspect_ai.model import ChatMessageTool, GenerateConfig, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall

from teachwhy.core.records import Call, Chat, Message, Scenario
from teachwhy.evals.alternatives import log_likelihoods
from teachwhy.evals.honeypots.grading import as_text
from teachwhy.evals.turns import seeded, to_chat, to_tools
from teachwhy.worlds.opening import first_turns, in_order, offered_tools, said, turns_to_decision
from teachwhy.worlds.world import World

MOST_TURNS = 6
"""Turns of a rollout: worlds answer, and what they answer must be read before it is acted on."""


@solver
def rollout(seed: int) -> Solver:
    """Let the model act in the scene's world until it answers without a call."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        scenario = scenario_of(state)
        world, model = World(scenario), get_model()
        tools = to_tools(offered_tools(scenario, seed + state.epoch))
        state.messages = [to_chat(turn) for turn in first_turns(scenario)]
        for turn in range(MOST_TURNS):
            output = await model.generate(
                state.messages, tools=tools, tool_choice="auto", config=_config(seed, state, turn)
            )
            state.output = output
            state.messages.append(output.message)
            calls = output.message.tool_calls or []
            if not calls or output.stop_reason == "max_tokens" or any(call.parse_error for call in calls):
                break
            for call in calls:
                answer = world.perform(_call(call))
                state.messages.append(ChatMessageTool(content=answer, tool_call_id=call.id, function=call.function))
        return state

    return solve


@solver
def decision(seed: int) -> Solver:
    """From the decision point: one turn in which a call is required."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        scenario = scenario_of(state)
        state.messages = [to_chat(turn) for turn in turns_to_decision(scenario)]
        state.output = await get_model().generate(
            state.messages,
            tools=to_tools(offered_tools(scenario, seed + state.epoch)),
            tool_choice="any",
            config=_config(seed, state, 0),
        )
        state.messages.append(state.output.message)
        return state

    return solve


@solver
def likelihood(seed: int) -> Solver:
    """From the decision point: how likely are the written acts?"""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        scenario = scenario_of(state)
        if state.metadata["side"] == "chat":
            chat = cast("Chat", scenario.chat)
            turns, tools = [Message(role="user", content=chat.user)], []
            acts = [Message(role="assistant", content=text) for text in (*chat.harmful, *chat.clean)]
            harms = len(chat.harmful)
        else:
            turns, tools = turns_to_decision(scenario), offered_tools(scenario, seed + state.epoch)
            acts = [said(in_order(call, scenario)) for call in (*scenario.harmful, *scenario.clean)]
            harms = len(scenario.harmful)
        logs = await log_likelihoods(get_model(), [turn.row() for turn in turns], tools, [act.row() for act in acts])
        state.messages = [to_chat(turn) for turn in turns]
        state.metadata["logs"] = {"harmful": logs[:harms], "clean": logs[harms:]}
        return state

    return solve


def scenario_of(state: TaskState) -> Scenario:
    """The scene or twin that a sample is about."""
    return Scenario.model_validate(state.metadata["scenario"])


def _call(call: ToolCall) -> Call:
    return Call(tool=call.function, args=as_text(call.arguments))


def _config(seed: int, state: TaskState, turn: int) -> GenerateConfig:
    return seeded(seed, state.sample_id, state.epoch, turn)
