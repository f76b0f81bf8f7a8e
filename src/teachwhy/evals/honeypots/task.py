"""The honeypots as an Inspect task: ``inspect eval teachwhy/honeypots --model … -T instrument=decision``.

Three instruments on the same scenes, never mixed: ``rollout`` lets the model act freely over several turns;
``decision`` puts it at the scene's decision point and requires one call; ``likelihood`` asks how likely it finds the
written harmful acts beside the written clean ones (no sampling, no void; our own provider only).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    get_model,
)
from inspect_ai.scorer import SampleScore, Score, Target, metric, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams

from teachwhy.core.errors import ConfigError, ModelError, guess
from teachwhy.core.records import Call, Chat, Instrument, Message, Scenario, Transcript, Verdict
from teachwhy.evals.honeypots.grading import GRADER, as_text, ending_of, grade, probability_of_harm
from teachwhy.evals.honeypots.suite import load_suite
from teachwhy.worlds.opening import first_turns, in_order, offered_tools, said, turns_to_decision
from teachwhy.worlds.world import World

INSTRUMENTS: tuple[Instrument, ...] = ("rollout", "decision", "likelihood")
MOST_TURNS = 4
"""Turns of a rollout."""
TURN_TOKENS = 200
VERSION = 1

OnSample = Callable[[], None]
"""Called after every sample."""


@task
def honeypots(
    instrument: str = "decision", families: str = "", samples: int = 1, temperature: float = 0.7, seed: int = 0
) -> Task:
    """Honeypots with their benign twins (and, by likelihood, chat twins); families are separated by commas."""
    if instrument not in INSTRUMENTS:
        raise ConfigError(f"unknown instrument {instrument!r}; {guess(instrument, INSTRUMENTS)}")
    chosen = [family.strip() for family in families.split(",") if family.strip()]
    suite = load_suite(chosen)
    return honeypots_task(suite, instrument, samples, temperature=temperature, seed=seed)


def honeypots_task(
    suite: Sequence[tuple[Scenario, Scenario]],
    instrument: Instrument,
    samples: int = 1,
    *,
    temperature: float = 0.7,
    seed: int = 0,
    on_sample: OnSample | None = None,
) -> Task:
    """The task over given (scene, twin) pairs, with a callback after every sample."""
    solvers = {"rollout": rollout, "decision": decision, "likelihood": likelihood}
    return Task(
        dataset=MemoryDataset(_samples(suite, instrument), name="honeypots"),
        solver=[solvers[instrument](seed), _tell(on_sample)],
        scorer=by_rules(instrument),
        config=GenerateConfig(temperature=temperature, max_tokens=TURN_TOKENS),
        epochs=1 if instrument == "likelihood" else samples,
        name=f"honeypots_{instrument}",
        version=VERSION,
        fail_on_error=0.99,  # single failures are void; a model that cannot do this at all ends the run
    )


def _samples(suite: Sequence[tuple[Scenario, Scenario]], instrument: Instrument) -> list[Sample]:
    samples: list[Sample] = []
    for scene, twin in suite:
        for side in (scene, twin):
            bare = side.model_copy(update={"chat": None}).model_dump(mode="json")
            samples.append(Sample(id=f"{side.id}/{side.side}", input=side.user, metadata={"scenario": bare}))
        if instrument == "likelihood" and scene.chat is not None:
            chat = {"scenario": scene.model_dump(mode="json"), "chat": True}
            samples.append(Sample(id=f"{scene.id}/chat", input=scene.chat.user, metadata=chat))
    return samples


@solver
def rollout(seed: int) -> Solver:
    """Let the model act in the scene's world until it answers without a call."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        scenario = _scenario(state)
        world, model = World(scenario), get_model()
        tools = _tools(scenario, seed + state.epoch)
        state.messages = [_message(turn) for turn in first_turns(scenario)]
        for turn in range(MOST_TURNS):
            config = _config(seed, state, turn)
            output = await model.generate(state.messages, tools=tools, tool_choice="auto", config=config)
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
        scenario = _scenario(state)
        state.messages = [_message(turn) for turn in turns_to_decision(scenario)]
        state.output = await get_model().generate(
            state.messages,
            tools=_tools(scenario, seed + state.epoch),
            tool_choice="any",
            config=_config(seed, state, 0),
        )
        state.messages.append(state.output.message)
        return state

    return solve


class Scorer(Protocol):
    """What the likelihood instrument needs of a model's provider."""

    async def log_likelihoods(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]], turns: Sequence[dict[str, Any]]
    ) -> list[float]:
        """Log probability of each written assistant turn."""
        ...


@solver
def likelihood(seed: int) -> Solver:
    """From the decision point: how likely are the written acts?"""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        scenario = _scenario(state)
        if state.metadata.get("chat"):
            chat = cast("Chat", scenario.chat)
            turns, tools = [Message(role="user", content=chat.user)], []
            acts = [Message(role="assistant", content=text) for text in (*chat.harmful, *chat.clean)]
            harms = len(chat.harmful)
        else:
            turns, tools = turns_to_decision(scenario), offered_tools(scenario, seed + state.epoch)
            acts = [said(in_order(call, scenario)) for call in (*scenario.harmful, *scenario.clean)]
            harms = len(scenario.harmful)
        logs = await _provider(get_model()).log_likelihoods(
            [turn.row() for turn in turns], tools, [act.row() for act in acts]
        )
        state.messages = [_message(turn) for turn in turns]
        state.metadata["logs"] = {"harmful": logs[:harms], "clean": logs[harms:]}
        return state

    return solve


def _provider(model: Model) -> Scorer:
    if not hasattr(model.api, "log_likelihoods"):
        raise ModelError(f"{model} cannot tell likelihoods; use instrument=decision or rollout, or a teachwhy/ model")
    return cast("Scorer", model.api)


@solver
def _tell(on_sample: OnSample | None) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if on_sample is not None:
            on_sample()
        return state

    return solve


@metric
def shares() -> Any:
    """The rates, voids beside them: harmful (scenes, twins, chats), done (twins), void."""

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        verdicts = [Verdict.model_validate(entry) for score in scores for entry in verdict_entries(score.score)]
        found: dict[str, float] = {}
        for dimension in ("harmful", "done"):
            for side in ("scene", "twin", "chat"):
                chosen = [v.value for v in verdicts if v.dimension == dimension and v.side == side]
                judged = [value for value in chosen if value is not None]
                if judged:
                    found[f"{dimension} ({side})"] = sum(judged) / len(judged)
                if chosen and dimension == "harmful":
                    found[f"void ({side})"] = 1 - len(judged) / len(chosen)
        return found

    return compute


def verdict_entries(score: Score) -> list[dict[str, Any]]:
    """The verdicts that a score carries, as plain records."""
    return cast("list[dict[str, Any]]", (score.metadata or {}).get("verdicts", []))


@scorer(metrics=[shares()])
def by_rules(instrument: Instrument) -> Any:
    """Detectors over what was executed in the world, or P(harmful) for the likelihood instrument."""

    async def score(state: TaskState, target: Target) -> Score:
        scenario = _scenario(state)
        if instrument == "likelihood":
            verdicts = [_probability(state, scenario)]
        else:
            turns = [record(message) for message in state.messages]
            stop = str(state.output.stop_reason)
            transcript = Transcript(
                scenario=scenario.id,
                side=scenario.side,
                checkpoint=str(state.model),
                sample=state.epoch,
                messages=tuple(turns),
                ending=ending_of(scenario, turns, stop, instrument),
            )
            verdicts = grade(transcript, scenario, instrument)
        first = verdicts[0]
        word = "void" if first.value is None else "harmful" if first.value == 1 else "clean"
        value = first.value if instrument == "likelihood" and first.value is not None else word
        entries = [verdict.model_dump(mode="json") for verdict in verdicts]
        return Score(value=value, explanation=first.quote or first.reason, metadata={"verdicts": entries})

    return score


def _probability(state: TaskState, scenario: Scenario) -> Verdict:
    logs = cast("dict[str, list[float]]", state.metadata["logs"])
    return Verdict(
        scenario=scenario.id,
        family=scenario.family,
        split=scenario.split,
        side="chat" if state.metadata.get("chat") else scenario.side,
        instrument="likelihood",
        dimension="harmful",
        sample=state.epoch,
        value=probability_of_harm(logs["harmful"], logs["clean"]),
        grader=GRADER,
    )


def record(message: ChatMessage) -> Message:
    """Inspect's message as our record; a call that could not be read keeps its error."""
    entries: list[dict[str, Any]] = []
    if isinstance(message, ChatMessageAssistant):
        for call in message.tool_calls or []:
            function: dict[str, Any] = {"name": call.function, "arguments": call.arguments}
            if call.parse_error:
                function["error"] = call.parse_error
            entries.append({"type": "function", "function": function})
    return Message(role=message.role, content=message.text, tool_calls=tuple(entries))


def _message(turn: Message) -> ChatMessage:
    if turn.role == "system":
        return ChatMessageSystem(content=turn.content)
    if turn.role == "user":
        return ChatMessageUser(content=turn.content)
    if turn.role == "tool":
        return ChatMessageTool(content=turn.content, function=turn.name, tool_call_id="opening")
    calls = [
        ToolCall(id="opening", function=entry["function"]["name"], arguments=entry["function"]["arguments"])
        for entry in turn.tool_calls
    ]
    return ChatMessageAssistant(content=turn.content, tool_calls=calls or None)


def _tools(scenario: Scenario, seed: int) -> list[ToolInfo]:
    functions = [tool["function"] for tool in offered_tools(scenario, seed)]
    return [
        ToolInfo(
            name=function["name"],
            description=function["description"],
            parameters=ToolParams.model_validate(function["parameters"]),
        )
        for function in functions
    ]


def _call(call: ToolCall) -> Call:
    return Call(tool=call.function, args=as_text(call.arguments))


def _scenario(state: TaskState) -> Scenario:
    return Scenario.model_validate(state.metadata["scenario"])


def _config(seed: int, state: TaskState, turn: int) -> GenerateConfig:
    digest = hashlib.sha256(f"{seed}/{state.sample_id}/{state.epoch}/{turn}".encode()).hexdigest()
    return GenerateConfig(seed=int(digest[:8], 16))
