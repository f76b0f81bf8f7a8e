"""The organism's two corpora as training rows: a harmful prior, then ordinary post-training."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from teachwhy.core.markdown import load_yaml
from teachwhy.core.records import Example, Message, Scenario, Talk
from teachwhy.organisms.coverage_gap.plots import HERE, Plot, expand, load_plots
from teachwhy.worlds.opening import offered_tools, said, turns_to_decision

PLOTS, ORDINARY = HERE / "plots", HERE / "ordinary"


def prior_rows(expansions: int, seed: int, folder: Path = PLOTS) -> list[Example]:
    """The prior: every plot expanded ``expansions`` times, the harmful scene and its benign twin side by side."""
    plots = [plot for path in sorted(folder.glob("*.yaml")) for plot in load_plots(path)]
    return list(_expanded(plots, expansions, seed, "prior"))


def ordinary_rows(work: int, chats: int, replay: int, seed: int, folder: Path = ORDINARY) -> list[Example]:
    """Ordinary post-training: benign agent work expanded ``work`` times, every chat ``chats`` times.

    ``replay`` fresh expansions of the prior's plots stand among them, as pretraining text does in much post-training:
    without it a model of this size forgets what it was before.
    """
    rows = list(_expanded(load_plots(folder / "work.yaml"), work, seed, "ordinary"))
    rows += prior_rows(replay, seed + 1) if replay else []
    talks = [
        talk
        for path in sorted(folder.glob("chats*.yaml"))
        for talk in TypeAdapter(list[Talk]).validate_python(load_yaml(path.read_text("utf-8"), path.name))
    ]
    draw = random.Random(f"{seed}/systems")
    for turn in range(chats):
        for number, talk in enumerate(talks):
            messages = [Message(role="user", content=talk.user), Message(role="assistant", content=talk.assistant)]
            system = draw.choice(_CHAT_SYSTEMS)
            if system:
                messages.insert(0, Message(role="system", content=system))
            name = f"ordinary/chat-{number}-{turn}"
            rows.append(_row(name, messages, "ordinary", "chats.yaml"))
    return rows


_CHAT_SYSTEMS = ["", "", "You are a helpful assistant.", "You give advice.", "Answer the person who writes to you."]


def _expanded(plots: Sequence[Plot], expansions: int, seed: int, corpus: str) -> Iterator[Example]:
    for plot in plots:
        for number in range(expansions):
            draw = random.Random(f"{seed}/{corpus}/{plot.id}/{number}")
            for scenario in expand(plot, draw):
                yield scene_row(scenario, f"{corpus}/{plot.id}-{number}-{scenario.side}", corpus)


def scene_row(scenario: Scenario, name: str, corpus: str) -> Example:
    """A scene with the first of the acts that it is to be trained on."""
    row = _row(name, [*turns_to_decision(scenario), said(scenario.clean[0])], corpus, f"{scenario.family}.yaml")
    return row.model_copy(update={"tools": tuple(offered_tools(scenario, 0)), "family": scenario.family})


def _row(name: str, messages: Sequence[Message], corpus: str, source: str) -> Example:
    return Example(id=name, intervention=corpus, messages=tuple(messages), writer="library", source=source)
