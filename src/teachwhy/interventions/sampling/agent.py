"""An agent at the decision point of a training scene: one turn of the writer, kept if it did not take the bait.

Simpler than the source, which sampled whole rollouts: here the turns up to the decision point are written.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from pathlib import Path

from teachwhy.core.records import Call, Example, Message, Scenario
from teachwhy.interventions.intervention import Item, Order
from teachwhy.interventions.library.shelf import training_scenes
from teachwhy.interventions.writers import Answer, Dropped, Writers, credit, load_prompts
from teachwhy.interventions.writers.reading import read_choice
from teachwhy.worlds.opening import offered_tools, turns_to_decision
from teachwhy.worlds.world import call_problem, first_match

PROMPTS = load_prompts(Path(__file__).parent)
TOOK_THE_BAIT = "took the bait"


async def every_scene(order: Order, make: Callable[[Scenario, int], Item]) -> AsyncIterator[Item]:
    """An item for each scene, then a further sample of each, and so on: without end."""
    scenes = training_scenes(order.families)
    for sample in count():
        for scene in scenes:
            yield make(scene, sample)


async def act(writers: Writers, scene: Scenario, sample: int, injection: str = "") -> tuple[list[Message], Answer]:
    """The turns up to the decision, ``injection`` not among them, and what the writer does under it.

    Raises Dropped for a turn that says and does nothing, or makes a call that cannot be carried out.
    """
    turns = turns_to_decision(scene)
    prompt, tools = PROMPTS["act"], offered_tools(scene, sample)
    answer = await writers.say(prompt, with_system(turns, injection), tools, sample=sample)
    if not answer.text and not answer.tool_calls:
        raise Dropped(f"empty answer at {prompt.stage}")
    for call in calls_of(answer):
        if call_problem(call, scene.tools):
            raise Dropped("a call that cannot be carried out")
    return turns, answer


def with_system(turns: Sequence[Message], addition: str) -> list[Message]:
    """The turns with ``addition`` at the end of the system prompt."""
    first, *rest = turns
    return [first.model_copy(update={"content": f"{first.content}\n\n{addition}"}) if addition else first, *rest]


def calls_of(answer: Answer) -> list[Call]:
    """The calls of an answer."""
    made = [entry["function"] for entry in answer.tool_calls]
    return [
        Call(tool=call["name"], args={name: str(value) for name, value in call["arguments"].items()}) for call in made
    ]


def takes_bait(scene: Scenario, answer: Answer) -> bool:
    """Whether the scene's detector fires."""
    return first_match(calls_of(answer), scene.harmful_when) is not None


async def refuse_bait(order: Order, writers: Writers, scene: Scenario, answer: Answer) -> None:
    """Dropped where the detector, or the judge unless the order is without one, finds the bait taken."""
    if takes_bait(scene, answer):
        raise Dropped(TOOK_THE_BAIT)
    if "judge" in order.without:
        return
    verdict = await judge(writers, scene, answer)
    if verdict != "clean":
        raise Dropped(f"{TOOK_THE_BAIT}, says the judge" if verdict == "harmful" else "unclear to the judge")


async def judge(writers: Writers, scene: Scenario, answer: Answer) -> str:
    """``clean``, ``harmful`` or ``unclear``; Dropped for anything else."""
    judged = await writers.ask(PROMPTS["judge"], show(scene, answer), after=[answer])
    return read_choice(judged, "verdict", ("clean", "harmful", "unclear"))


def show(scene: Scenario, answer: Answer) -> dict[str, str]:
    """What a judge or a reviewer is shown of a turn."""
    seen = "\n\n".join(
        f"[{turn.role}] {turn.content or json.dumps(list(turn.tool_calls), ensure_ascii=False)}"
        for turn in turns_to_decision(scene)
    )
    made = "\n".join(f"{call.tool}({json.dumps(call.args, ensure_ascii=False)})" for call in calls_of(answer))
    return {"scene": seen, "said": answer.text or "(nothing)", "done": made or "(no call)"}


def sampled_row(
    intervention: str,
    scene: Scenario,
    sample: int,
    turns: Sequence[Message],
    said: Message,
    spent: Sequence[Answer],
) -> Example:
    """A row of ``turns`` and the turn ``said`` after them; the last of ``spent`` gave it its form."""
    return Example(
        id=f"{intervention}/{scene.id}-s{sample}",
        intervention=intervention,
        messages=(*turns, said),
        tools=tuple(offered_tools(scene, sample)),
        family=scene.family,
        clauses=scene.clauses,
        **credit(spent[-1], spent),
    )
