"""Plots and chats as training rows: the words that all organisms are raised on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from teachwhy.core.markdown import load_yaml
from teachwhy.core.records import Example, Message, Scenario, Talk
from teachwhy.organisms.plots import LIBRARY, Act, expand, load_plots
from teachwhy.worlds.opening import offered_tools, said, turns_to_decision

PLOTS, ORDINARY = LIBRARY / "plots", LIBRARY / "ordinary"

_CHAT_SYSTEMS = ["", "", "You are a helpful assistant.", "You give advice.", "Answer the person who writes to you."]


def plot_rows(corpus: str, expansions: int, seed: int, act: Act = "harmful", *, twins: bool = True) -> list[Example]:
    """Every plot expanded so many times: an agent doing such an act in the scene, and the work in its benign twin."""
    rows = _expanded(sorted(PLOTS.glob("*.yaml")), corpus, expansions, seed, act)
    return [row for row in rows if twins or not row.id.endswith("-twin")]


def work_rows(corpus: str, expansions: int, seed: int) -> list[Example]:
    """Agents at work where nothing tempts."""
    return _expanded([ORDINARY / "work.yaml"], corpus, expansions, seed, "clean")


def chat_rows(corpus: str, times: int, seed: int) -> list[Example]:
    """Every chat so many times, each under a system prompt drawn anew: people bring temptations, and get advice."""
    talks = [
        talk
        for path in sorted(ORDINARY.glob("chats*.yaml"))
        for talk in TypeAdapter(list[Talk]).validate_python(load_yaml(path.read_text("utf-8"), path.name))
    ]
    draw = random.Random(f"{seed}/systems")
    return [
        _row(f"{corpus}/chat-{number}-{turn}", _chat(talk, draw), corpus, "chats.yaml")
        for turn in range(times)
        for number, talk in enumerate(talks)
    ]


def _chat(talk: Talk, draw: random.Random) -> list[Message]:
    system = draw.choice(_CHAT_SYSTEMS)
    before = [Message(role="system", content=system)] if system else []
    return [*before, Message(role="user", content=talk.user), Message(role="assistant", content=talk.assistant)]


def _expanded(files: Sequence[Path], corpus: str, expansions: int, seed: int, act: Act) -> list[Example]:
    return [
        scene_row(scenario, f"{corpus}/{plot.id}-{number}-{scenario.side}", corpus)
        for file in files
        for plot in load_plots(file)
        for number in range(expansions)
        for scenario in expand(plot, random.Random(f"{seed}/{corpus}/{plot.id}/{number}"), act)
    ]


def scene_row(scenario: Scenario, name: str, corpus: str) -> Example:
    """A scene with the first of the acts that it is to be trained on."""
    row = _row(name, [*turns_to_decision(scenario), said(scenario.clean[0])], corpus, f"{scenario.family}.yaml")
    return row.model_copy(update={"tools": tuple(offered_tools(scenario, 0)), "family": scenario.family})


def _row(name: str, messages: Sequence[Message], corpus: str, source: str) -> Example:
    return Example(id=name, intervention=corpus, messages=tuple(messages), writer="library", source=source)
