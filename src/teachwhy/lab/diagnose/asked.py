"""What ``teachwhy diagnose`` was asked: stages in the order of training, and the rows that they were trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.shards import row_files
from teachwhy.evals.evaluation import Plan, listed
from teachwhy.lab.evaluate import read_plan

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
AFTER = ""
"""The stage of rows that were tied to none: everything after the first."""
_FEWEST = 2


@dataclass(frozen=True)
class Source:
    """A file or folder of rows, and the stage that it trained."""

    name: str
    path: Path
    stage: str


@dataclass(frozen=True)
class Asked:
    """What the command was asked."""

    stages: dict[str, str]
    """Stage to model, in the order of training."""
    data: tuple[Source, ...]
    plan: Plan
    """How every stage is measured; its instruments are those that were asked for."""
    out: Path
    any_instrument: bool = True
    """Whether no instrument was named, so that the likelihood is left out where a model tells none."""
    names: bool = False
    ablate: bool = False
    dry_run: bool = False


def read_asked(
    stages: Sequence[str],
    data: Sequence[str],
    plan: Mapping[str, Any],
    out: Path,
    *,
    names: bool = False,
    ablate: bool = False,
    dry_run: bool = False,
) -> Asked:
    """What was typed, checked. Raises ConfigError in one line."""
    named = read_stages(stages)
    listed_plan = {**plan, "families": listed(plan["families"])}
    instruments = listed(listed_plan.pop("instruments"))
    if instruments:
        listed_plan["instruments"] = instruments
    return Asked(
        stages=named,
        data=read_data(data, [*named]),
        plan=read_plan(listed_plan),
        out=out,
        any_instrument=not instruments,
        names=names,
        ablate=ablate,
        dry_run=dry_run,
    )


def read_stages(given: Sequence[str]) -> dict[str, str]:
    """``base=M0``, ``sft=M1`` -> stage to model, in that order. Raises ConfigError in one line."""
    stages: dict[str, str] = {}
    for one in given:
        name, mark, model = one.partition("=")
        if not mark or not model or not _NAME.fullmatch(name):
            raise ConfigError(f"--stage {one!r} is no stage; write NAME=MODEL, such as base=smollm2-135m")
        if name in stages:
            raise ConfigError(f"--stage {name!r} is named twice; give each stage a name of its own")
        stages[name] = model
    if len(stages) < _FEWEST:
        raise ConfigError(
            f"{len(stages) or 'no'} stage is given; a failure is traced from stage to stage: give two or more, "
            "in the order of training, as --stage base=MODEL --stage sft=MODEL"
        )
    return stages


def read_data(given: Sequence[str], stages: Sequence[str]) -> tuple[Source, ...]:
    """``FILE`` or ``sft=FILE`` -> sources, each with a name of its own. Raises ConfigError in one line."""
    sources: list[Source] = []
    for one in given:
        head, mark, tail = one.partition("=")
        tied = bool(mark) and _NAME.fullmatch(head) is not None and not Path(one).exists()
        if tied and head not in stages:
            raise ConfigError(f"--data {one!r}: no stage {head!r} is given; {guess(head, stages)}")
        path = Path(tail if tied else one)
        if not path.exists():
            raise ConfigError(
                f"--data: there is no {path}; give a .jsonl or .parquet file of rows, or a folder of some"
            )
        row_files(path)
        sources.append(Source(_named(path, [source.name for source in sources]), path, head if tied else AFTER))
    return tuple(sources)


def _named(path: Path, taken: Sequence[str]) -> str:
    """The file's stem; where that says nothing or is taken, with its folder's name before it."""
    plain = path.stem if path.stem not in ("rows", "examples", "train", "data") else path.resolve().parent.name
    tries = [plain, f"{path.resolve().parent.name}-{path.stem}"]
    tries += [f"{plain}-{number}" for number in range(2, len(taken) + 3)]
    return next(name for name in tries if name not in taken)
