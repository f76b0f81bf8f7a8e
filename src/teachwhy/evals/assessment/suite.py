"""The seeds, the scripts of the offline auditor and the dimensions: Markdown files, read strictly."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from pydantic import ValidationError

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import CANARY, sections, split_front_matter
from teachwhy.core.records import Record

FOLDER = Path(__file__).parent
KINDS = ("dimensions", "scripts", "seeds")
FEWEST_TURNS, MOST_TURNS = 2, 4
FEWEST_ALTERNATIVES = 2
MOST_WORDS = {"system": 80, "user": 60}
"""Of the system prompt; of one user turn. The small model reads all of it on a CPU."""
WORDS_OF_AN_ANSWER = (15, 60)
APART = 0.10
"""How far the mean lengths of good and bad alternatives may be apart: likelihoods are summed over tokens."""

SCALE = "The scale:"
"""Begins the part of a dimension that is Petri's alone."""

_ORDER = re.compile(r"(system )?(user )+(good )+(bad )+")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


class Dimension(Record):
    """A property, good or bad, in Petri's format."""

    name: str
    description: str
    """One sentence."""
    display_name: str
    display_order: int
    tags: tuple[str, ...]
    palette: Literal["good-high", "good-low"] = "good-low"
    rubric: str
    """What counts, what does not, and Petri's scale from 1 to 10."""

    @property
    def meaning(self) -> str:
        """What it is, for a judge that answers in words: all but the scale."""
        return f"{self.description}.\n\n{self.rubric.partition(SCALE)[0].strip()}"

    @property
    def side(self) -> Literal["good", "bad"]:
        """Whether much of it is good."""
        return "good" if self.palette == "good-high" else "bad"


class Seed(Record):
    """One matter, twice: what Petri's auditor is told, and what our scripted auditor says."""

    id: str
    dimension: str
    """What it looks at first."""
    tags: tuple[str, ...]
    """That, and whatever else may show."""
    instruction: str
    """To Petri's auditor."""
    system: str = ""
    user: tuple[str, ...]
    """The scripted turns, in order."""
    good: tuple[str, ...]
    bad: tuple[str, ...]
    """Written alternatives for the answer to the last of them."""


def load_seeds(dimensions: Collection[str] = (), folder: Path = FOLDER) -> list[Seed]:
    """All seeds, or those that look first at the dimensions named; sorted by name.

    Raises ConfigError in one line for a name that is no dimension, and for a file that is not in the form.
    """
    known = load_dimensions(folder)
    for name in dimensions:
        if name not in known:
            raise ConfigError(f"unknown dimension {name!r}; {guess(name, known)}")
    names = {kind: {path.stem for path in (folder / kind).glob("*.md")} for kind in ("seeds", "scripts")}
    for name in sorted(names["seeds"] ^ names["scripts"]):
        has, lacks = ("seeds", "scripts") if name in names["seeds"] else ("scripts", "seeds")
        raise ConfigError(f"{has}/{name}.md: there is no {lacks}/{name}.md; a seed and its script belong together")
    seeds = [load_seed(name, known, folder) for name in sorted(names["seeds"])]
    return [seed for seed in seeds if not dimensions or seed.dimension in dimensions]


def load_seed(name: str, dimensions: Collection[str], folder: Path = FOLDER) -> Seed:
    """One seed with its script; ConfigError in one line for whatever is not in the form."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"seeds/{name}.md: a name is two or more words of small letters, with hyphens between them")
    tags, instruction = _seed(folder / "seeds" / f"{name}.md", dimensions)
    dimension, parts = _script(folder / "scripts" / f"{name}.md")
    if dimension != tags[0]:
        raise ConfigError(f"scripts/{name}.md: its dimension is {dimension!r}, the first tag of its seed {tags[0]!r}")
    seed = Seed(
        id=name,
        dimension=tags[0],
        tags=tags,
        instruction=instruction,
        system=next(iter(parts.get("system", ())), ""),
        user=tuple(parts["user"]),
        good=tuple(parts["good"]),
        bad=tuple(parts["bad"]),
    )
    _check_lengths(seed)
    return seed


def load_dimensions(folder: Path = FOLDER) -> dict[str, Dimension]:
    """Name to dimension, in the order in which they are shown; ConfigError in one line for one not in the form."""
    found = [_dimension(path) for path in sorted((folder / "dimensions").glob("*.md"))]
    return {dimension.name: dimension for dimension in sorted(found, key=lambda one: one.display_order)}


@cache
def dimensions() -> dict[str, Dimension]:
    """The dimensions that come with this package."""
    return load_dimensions()


def measured_text(folder: Path = FOLDER) -> dict[str, str]:
    """File name to full text, for the guard that keeps training data apart."""
    paths = [path for kind in KINDS for path in sorted((folder / kind).glob("*.md"))]
    return {f"{path.parent.name}/{path.name}": path.read_text(encoding="utf-8") for path in paths}


def _read(path: Path, keys: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Front matter with exactly these keys, and the body, of a file that carries the canary."""
    where = f"{path.parent.name}/{path.name}"
    text = path.read_text(encoding="utf-8")
    if not text.startswith(f"---\n# {CANARY}\n"):
        raise ConfigError(f"{where} lacks the canary; its second line must be '# {CANARY}'")
    front, body = split_front_matter(text, where)
    for key in sorted(front.keys() ^ set(keys)):
        what = "unknown key" if key in front else "lacks the key"
        raise ConfigError(f"{where}: {what} {key!r}; {guess(key, keys)}")
    return front, body.strip()


def _seed(path: Path, dimensions: Collection[str]) -> tuple[tuple[str, ...], str]:
    front, body = _read(path, ["tags"])
    where, tags = f"seeds/{path.name}", front["tags"]
    if not isinstance(tags, list) or not tags or len(set(map(str, tags))) != len(tags):  # pyright: ignore[reportUnknownArgumentType]
        raise ConfigError(f"{where}: tags must be a list of dimensions, each once, first the one it looks at")
    named = tuple(str(tag) for tag in tags)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    for tag in named:
        if tag not in dimensions:
            raise ConfigError(f"{where}: tag {tag!r} is no dimension; {guess(tag, dimensions)}")
    if not body:
        raise ConfigError(f"{where}: no instruction to the auditor below the front matter")
    return named, body


def _script(path: Path) -> tuple[str, dict[str, list[str]]]:
    """The script's dimension, and heading to texts."""
    where = f"scripts/{path.name}"
    front, body = _read(path, ["dimension"])
    if not body.startswith("# "):
        raise ConfigError(f"{where}: text before the first heading")
    found = [(heading.lower(), text) for heading, text in sections(body)]
    if not _ORDER.fullmatch("".join(f"{heading} " for heading, _ in found)):
        given = ", ".join(heading for heading, _ in found)
        raise ConfigError(f"{where}: headings must be System (or none), User, Good, Bad in that order; found {given}")
    parts: dict[str, list[str]] = {}
    for heading, text in found:
        if not text:
            raise ConfigError(f"{where}: nothing below a heading {heading!r}")
        parts.setdefault(heading, []).append(text)
    if not FEWEST_TURNS <= len(parts["user"]) <= MOST_TURNS:
        raise ConfigError(f"{where}: needs {FEWEST_TURNS} to {MOST_TURNS} user turns, found {len(parts['user'])}")
    for kind in ("good", "bad"):
        if len(set(parts[kind])) < FEWEST_ALTERNATIVES or len(set(parts[kind])) < len(parts[kind]):
            raise ConfigError(f"{where}: needs at least {FEWEST_ALTERNATIVES} different texts under {kind!r}")
    return str(front["dimension"]), parts


def _check_lengths(seed: Seed) -> None:
    where = f"scripts/{seed.id}.md"
    for kind, texts in (("system", [seed.system]), ("user", seed.user)):
        for text in texts:
            if len(text.split()) > MOST_WORDS[kind]:
                raise ConfigError(f"{where}: {len(text.split())} words under {kind!r}; at most {MOST_WORDS[kind]}")
    fewest, most = WORDS_OF_AN_ANSWER
    for text in (*seed.good, *seed.bad):
        if not fewest <= len(text.split()) <= most:
            raise ConfigError(f"{where}: an alternative of {len(text.split())} words; {fewest} to {most} are allowed")
    good, bad = (mean(len(text.split()) for text in texts) for texts in (seed.good, seed.bad))
    if abs(good - bad) > APART * max(good, bad):
        raise ConfigError(
            f"{where}: good alternatives have {good:.0f} words on average, bad ones {bad:.0f}; "
            f"they may be at most {APART:.0%} apart"
        )


def _dimension(path: Path) -> Dimension:
    keys = ["description", "display_name", "display_order", "palette", "tags"]
    front, body = _read(path, keys)
    if body.count(SCALE) != 1:
        raise ConfigError(
            f"dimensions/{path.name}: needs the line {SCALE!r} once, with the scale from 1 to 10 below it"
        )
    try:
        return Dimension.model_validate({**front, "name": path.stem, "rubric": body})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"dimensions/{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
