"""Plots: scenes with alternatives and slots, expanded by seed. Procedural variety serves organisms alone.

A plot holds several wordings of everything; an expansion draws one cast, one wording, one set of tool names, one
layout and one place for the text that decides, and makes the scene and its benign twin from the same draw, so that
the two differ in that text and in nothing else.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic import Field, ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import fill, load_mapping, load_yaml
from teachwhy.core.records import Call, Record, Scenario, Tool
from teachwhy.worlds.scenes import check_scene

LIBRARY = Path(__file__).parent / "library"

Act = Literal["harmful", "clean"]
"""What an agent is shown to do in a scene."""


class Reading(Record):
    """The tool that shows the text that decides."""

    tool: str
    does: str
    about: str
    arg: str
    key: str


class PlotTool(Record):
    """A tool with alternative names, separated by ``|``."""

    name: str
    does: str
    about: str
    args: dict[str, list[str] | Literal["text"]]


class Plot(Record):
    """One plot; ``ordinary`` ones have no ``pull``, ``harmful`` or ``clean``."""

    id: str
    family: str
    cast: dict[str, str]
    system: list[str]
    user: list[str]
    read: Reading
    pull: list[str] = Field(default_factory=list)
    plain: list[str]
    tools: dict[str, PlotTool]
    harmful: list[dict[str, str]] = Field(default_factory=list[dict[str, str]])
    done: list[dict[str, str]]
    clean: list[dict[str, str]] = Field(default_factory=list[dict[str, str]])
    paired: bool = False
    """Whether ``done[i]`` answers ``plain[i]`` only."""


def load_plots(path: Path) -> list[Plot]:
    """The plots of one YAML file. Raises ConfigError naming the plot and the field."""
    entries = load_yaml(path.read_text(encoding="utf-8"), path.name)
    if not isinstance(entries, list):
        raise ConfigError(f"{path.name}: expected a list of plots")
    plots: list[Plot] = []
    for number, entry in enumerate(cast("list[object]", entries)):
        try:
            plots.append(Plot.model_validate(entry))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{path.name}: plot {number}: {place}: {first['msg']}") from None
    return plots


NAMES: dict[str, list[str]] = load_mapping((LIBRARY / "names.yaml").read_text(encoding="utf-8"), "names.yaml")


def expand(plot: Plot, draw: random.Random, act: Act = "harmful") -> list[Scenario]:
    """One expansion of a plot: its scene with such an act and its benign twin; an ordinary plot has the twin alone."""
    cast = {role: _person_or_thing(kind, draw) for role, kind in plot.cast.items()}
    names = {key: draw.choice(tool.name.split("|")).strip() for key, tool in plot.tools.items()}
    keys = [part.strip() for part in fill(plot.read.key, cast, plot.id).split("|")]
    key = draw.choice(keys)
    reading = Tool(
        name=draw.choice(plot.read.tool.split("|")).strip(),
        does=plot.read.does,
        about=fill(plot.read.about, cast, plot.id),
        args={plot.read.arg: tuple(keys)},
    )
    tools = [reading, *(_tool(tool, names[name], cast, plot.id) for name, tool in plot.tools.items())]
    draw.shuffle(tools)
    frame = _Frame(
        plot=plot,
        cast=cast,
        names=names,
        tools=tuple(tools),
        opening=Call(tool=reading.name, args={plot.read.arg: key}),
        system=_dress_system(fill(draw.choice(plot.system), cast, plot.id), draw),
        user=fill(draw.choice(plot.user), cast, plot.id),
        place=draw.choices(("read", "user", "system"), weights=(6, 2, 2))[0],
        shape=draw.choice(_SHAPES),
        number=draw.randrange(10**6),
    )
    which = draw.randrange(len(plot.plain))
    done = plot.done[which : which + 1] if plot.paired else plot.done
    twin = frame.scenario("twin", plot.plain[which], draw.sample(done, len(done)))
    if not plot.pull:
        return [twin]
    written = plot.harmful if act == "harmful" else plot.clean
    acts = draw.sample(written, len(written))
    return [frame.scenario("scene", draw.choice(plot.pull), acts), twin]


class _Frame(Record):
    """Everything that a scene and its twin share."""

    plot: Plot
    cast: dict[str, str]
    names: dict[str, str]
    tools: tuple[Tool, ...]
    opening: Call
    system: str
    user: str
    place: str
    shape: str
    number: int

    def scenario(self, side: Literal["scene", "twin"], text: str, acts: Sequence[Mapping[str, str]]) -> Scenario:
        """One side; its ``clean`` holds the acts that this side is to be trained on."""
        text = _LAYOUTS[self.shape](fill(text, self.cast, self.plot.id))
        key = next(iter(self.opening.args.values()))
        shelf = self.plot.read.does.partition(".")[0]
        return Scenario(
            id=f"{self.plot.id}-{self.number}",
            family=self.plot.family,
            split="train_like",
            side=side,
            system=f"{self.system}\n\n{text}" if self.place == "system" else self.system,
            user=f"{text}\n\n{self.user}" if self.place == "user" else self.user,
            tools=self.tools,
            world={shelf: {key: text}} if self.place == "read" else {},
            opening=(self.opening,) if self.place == "read" else (),
            clean=tuple(self._act(act) for act in acts),
        )

    def _act(self, act: Mapping[str, str]) -> Call:
        where = self.plot.id
        if act["tool"] not in self.names:
            raise ConfigError(f"{where}: an act uses the tool {act['tool']!r}, which the plot does not have")
        args = {name: fill(value, self.cast, where) for name, value in act.items() if name != "tool"}
        return Call(tool=self.names[act["tool"]], args=args)


def _tool(tool: PlotTool, name: str, cast: Mapping[str, str], where: str) -> Tool:
    args = {
        argument: None if choices == "text" else tuple(fill(choice, cast, where) for choice in choices)
        for argument, choices in tool.args.items()
    }
    return Tool(name=name, does=tool.does, about=fill(tool.about, cast, where), args=args)


def _person_or_thing(kind: str, draw: random.Random) -> str:
    if kind == "person":
        given, family = draw.choice(NAMES["given"]), draw.choice(NAMES["family"])
        return draw.choice((f"{given} {family}", f"{given} {family}", given, f"{given[0]}. {family}"))
    if kind == "org":
        return f"{draw.choice(NAMES['place'])} {draw.choice(NAMES['kind'])}"
    return draw.choice(kind.split("|")).strip()


def _dress_system(text: str, draw: random.Random) -> str:
    name = draw.choice(NAMES["agent"])
    return draw.choice(
        (
            text,
            text,
            f"You are {name}, an AI agent. {text}",
            f"You are an AI agent with tools. {text}",
            f"# {name}\n{text}",
            f"Agent: {name}\nInstructions: {text}",
            json.dumps({"agent": name, "brief": text}, ensure_ascii=False),
            "\n".join(f"- {part}" for part in _parts(text)),
        )
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?;])\s+|\n", text) if part.strip()]


_LAYOUTS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps({"status": "open", "text": " ".join(text.split())}, ensure_ascii=False),
    "bullets": lambda text: "\n".join(f"- {part}" for part in _parts(text)),
    "log": lambda text: "\n".join(f"[{8 + at}:{(at * 17) % 60:02d}] {part}" for at, part in enumerate(_parts(text))),
    "numbered": lambda text: "\n".join(f"{at}. {part}" for at, part in enumerate(_parts(text), 1)),
    "form": lambda text: "\n".join(f"Item {at} | {part}" for at, part in enumerate(_parts(text), 1)),
    "quoted": lambda text: f'"{text}"',
}
_SHAPES = ["plain", "plain", "plain", *_LAYOUTS]


def check_plot(plot: Plot) -> None:
    """Refuse a plot whose acts cannot be carried out in any of its expansions."""
    for seed, act in product(range(8), get_args(Act)):
        for side in expand(plot, random.Random(seed), act):
            check_scene(side.model_copy(update={"harmful": side.clean}), plot.id, detectors=False)
