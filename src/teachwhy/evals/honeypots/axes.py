"""The axes along which scenes are varied, and the design: which conditions are tried.

As a rule one axis at a time around the scene as it is written, since that is what says what an axis does; every
combination only where it is asked for. What an axis changes is words: the scene's own for ``goal`` and ``threat``,
those of ``axes/`` for the others.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import fill, load_mapping, sections, split_front_matter
from teachwhy.core.records import Scenario
from teachwhy.evals.evaluation import listed
from teachwhy.worlds.scenes import AXES as OWN_WORDS
from teachwhy.worlds.scenes import all_text

FOLDER = Path(__file__).parent / "axes"
RANDOM_NAMES = ("random-1", "random-2", "random-3")

AXES: Mapping[str, tuple[str, ...]] = {
    **OWN_WORDS,
    "name": ("own", "neutral", *RANDOM_NAMES),
    "scratchpad": ("yes",),
    "remember_goal": ("yes",),
    "framing": ("deployment", "test"),
}
"""Axis to its levels; where none is named, a scene stays as it is written."""

Pair = tuple[Scenario, Scenario]


class Extent(NamedTuple):
    """How many scenes are under a condition, and why not all of them."""

    condition: str
    scenes: int
    standing: int
    """Scenes that are written at one of its levels, and so are measured as they stand already."""
    wordless: int
    """Scenes that do not have the words for it; they are left out."""


class Conditioned(NamedTuple):
    """A scene and its twin under a condition; the empty one is the scene as it is written."""

    condition: str
    scene: Scenario
    twin: Scenario


def read_axes(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``goal=latent,none;name=own``, whole or cut at its commas by Inspect's command line -> axis to levels.

    Raises ConfigError for a form, axis or level that is none.
    """
    axes: dict[str, tuple[str, ...]] = {}
    text = given if isinstance(given, str) else ",".join(given)
    for part in (part.strip() for part in text.split(";") if part.strip()):
        name, levels = part.partition("=")[0].strip(), listed(part.partition("=")[2])
        if name in axes or not levels:
            wrong = "stands twice" if name in axes else "has no level"
            raise ConfigError(f"axis {name!r} {wrong}; write it once, as goal=latent,none")
        axes[name] = levels
    check_axes(axes)
    return axes


def check_axes(axes: Mapping[str, Sequence[str]]) -> None:
    """Refuse an axis or a level that there is not."""
    for axis, levels in axes.items():
        if axis not in AXES:
            raise ConfigError(f"unknown axis {axis!r}; {guess(axis, AXES)}")
        if not levels:
            raise ConfigError(f"axis {axis!r} has no level; write {axis}={','.join(AXES[axis])}, or some of these")
        for level in levels:
            if level not in AXES[axis]:
                raise ConfigError(f"axis {axis!r}: unknown level {level!r}; {guess(level, AXES[axis])}")


def conditions(axes: Mapping[str, Sequence[str]], *, crossed: bool = False) -> list[dict[str, str]]:
    """The conditions of a design, the scene as it is written first: axis to level each."""
    check_axes(axes)
    if crossed:
        # an axis left alone is a level too, so the scene as it is written and the single axes are among the rest
        every = product(*([None, *dict.fromkeys(levels)] for levels in axes.values()))
        chosen = [{axis: level for axis, level in zip(axes, levels, strict=True) if level} for levels in every]
        return sorted(chosen, key=len)
    single = [{axis: level} for axis, levels in axes.items() for level in dict.fromkeys(levels)]
    return [{}, *single]


def expand(
    suite: Sequence[Pair],
    axes: Mapping[str, Sequence[str]],
    *,
    crossed: bool = False,
    model_name: str = "",
    seed: int = 0,
) -> list[Conditioned]:
    """Every pair under every condition that it has the words for, conditions in order.

    A scene that stands at a level already is not repeated there; one without the words for it is left out, and counted
    by ``extents``. Raises ConfigError for a level that no scene has the words for.
    """
    for extent in extents(suite, axes):
        if extent.wordless and not extent.scenes:
            raise ConfigError(f"no scene has the words for {extent.condition}; leave it out, or take other families")
    return [
        Conditioned(_told_as(condition), *varied)
        for condition in conditions(axes, crossed=crossed)
        for pair in suite
        if (varied := vary(pair, condition, model_name, seed)) is not None
    ]


def extents(suite: Sequence[Pair], axes: Mapping[str, Sequence[str]], *, crossed: bool = False) -> list[Extent]:
    """What a design comes to, before anything is spent: a line for each condition.

    A condition has two samples a scene, the scene's and its twin's, times those that a plan asks for.
    """
    found: list[Extent] = []
    for condition in conditions(axes, crossed=crossed):
        standing = sum(_stands(scene, condition) for scene, _ in suite)
        wordless = sum(not _stands(scene, condition) and not _has_words(scene, condition) for scene, _ in suite)
        found.append(Extent(_told_as(condition), len(suite) - standing - wordless, standing, wordless))
    return found


def _told_as(condition: Mapping[str, str]) -> str:
    return ",".join(f"{axis}={level}" for axis, level in condition.items())


def vary(pair: Pair, condition: Mapping[str, str], model_name: str = "", seed: int = 0) -> Pair | None:
    """A pair under one condition; None where it has no words for it, or stands there already."""
    scene, twin = pair
    if _stands(scene, condition) or not _has_words(scene, condition):
        return None
    for axis, level in condition.items():
        if axis in OWN_WORDS:
            scene, twin = _exchanged(scene, axis, level), _exchanged(twin, axis, level)
        elif axis == "name":
            words = fill(_wording("name", scene.id, seed), {"name": _name(level, scene.id, model_name, seed)}, "name")
            scene, twin = _told(scene, words, first=True), _told(twin, words, first=True)
        else:
            words = _wording(level if axis == "framing" else axis, scene.id, seed)
            scene, twin = _told(scene, words), _told(twin, words)
    return scene, twin


def _stands(scene: Scenario, condition: Mapping[str, str]) -> bool:
    return any(axis in OWN_WORDS and scene.axes.get(axis, "none") == level for axis, level in condition.items())


def _has_words(scene: Scenario, condition: Mapping[str, str]) -> bool:
    own = {axis: level for axis, level in condition.items() if axis in OWN_WORDS}
    needed = [(axis, level) for axis, new in own.items() for level in (new, scene.axes.get(axis, "none"))]
    return all(level == "none" or level in scene.wordings.get(axis, {}) for axis, level in needed)


def _exchanged(side: Scenario, axis: str, level: str) -> Scenario:
    """The side with the words of an axis exchanged wherever they stand.

    Words that a scene does not have are added to its system text. A twin that lacks its scene's words lacks the pull:
    it is left as it is.
    """
    words = side.wordings[axis]
    own, new = side.axes.get(axis, "none"), words.get(level, "")
    axes = {**side.axes, axis: level}
    if own == "none":
        if axis == "threat" and side.side == "twin":
            return side
        return _told(side, new).model_copy(update={"axes": axes})
    if words[own] not in all_text(side):
        return side
    world = {
        shelf: {key: _swap(text, words[own], new) for key, text in texts.items()} for shelf, texts in side.world.items()
    }
    told = {"system": _swap(side.system, words[own], new), "user": _swap(side.user, words[own], new)}
    return side.model_copy(update={**told, "world": world, "axes": axes})


def _swap(text: str, old: str, new: str) -> str:
    if old not in text:
        return text
    before, after = text.split(old, 1)
    if new:
        return f"{before}{new}{after}"
    # words that are taken out take the space around them along, but not the break of a line
    kept = (before.rstrip(), after.lstrip())
    breaks = max(before[len(kept[0]) :].count("\n"), after[: len(after) - len(kept[1])].count("\n"))
    return ("\n" * breaks or " ").join(part for part in kept if part)


def _told(side: Scenario, words: str, *, first: bool = False) -> Scenario:
    return side.model_copy(update={"system": f"{words}\n{side.system}" if first else f"{side.system}\n{words}"})


def _wording(name: str, scene: str, seed: int) -> str:
    return random.Random(f"{seed}/{name}/{scene}").choice(_wordings(name))


@cache
def _wordings(name: str) -> list[str]:
    path = FOLDER / f"{name}.md"
    _, body = split_front_matter(path.read_text(encoding="utf-8"), path.name)
    return [text for _, text in sections(body)]


def _name(level: str, scene: str, model_name: str, seed: int) -> str:
    names = _names()
    if level == "own":
        if not model_name or model_name == "the model":
            raise ConfigError(
                "axis 'name' at its level 'own' needs the model's own name; give --model-name to teachwhy eval"
            )
        return model_name
    if level == "neutral":
        return random.Random(f"{seed}/neutral/{scene}").choice(names["neutral"])
    drawn = random.Random(f"{seed}/names/{scene}").sample(names["random"], len(RANDOM_NAMES))
    return drawn[RANDOM_NAMES.index(level)]


@cache
def _names() -> dict[str, list[str]]:
    path = FOLDER / "names.yaml"
    return {
        kind: [str(name) for name in names] for kind, names in load_mapping(path.read_text("utf-8"), path.name).items()
    }


def measured_text() -> dict[str, str]:
    """The words of the axes, file name to text."""
    return {f"axes/{path.name}": path.read_text("utf-8") for path in sorted(FOLDER.iterdir())}
