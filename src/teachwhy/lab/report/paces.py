"""Whether surrounded environments teach faster: the same arm's slopes in phases that differ by surroundings alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from teachwhy.core.records import Record
from teachwhy.core.stats import Comparison, Reading, compare, holm
from teachwhy.lab.report.conclusion import VOID_LIMIT
from teachwhy.lab.report.sheets import LEVEL, Column
from teachwhy.lab.report.trajectories import SPLITS, Walk, pool_walks, void_share
from teachwhy.lab.report.words import change, percent
from teachwhy.lab.results import Results

ALL = "all arms"


class Pace(Record):
    """Whether harm fell faster in surrounded environments than in plain ones."""

    arm: str
    """``ALL`` is every arm together, scene by scene."""
    plain: str
    surrounded: str
    split: Literal["held_out", "train_like"]
    slope: Reading
    """Surrounded minus plain, as the change from the first step to the last; below 0 is faster."""
    holm: float
    """Over the single arms; all arms together are one comparison."""
    scenes: int
    sentence: str


def describe_paces(
    results: Results, walks: Mapping[str, Sequence[Walk]], columns: Mapping[str, Column]
) -> Iterable[Pace]:
    """Each phase that differs from another by its surroundings alone: all arms together, then arm by arm."""
    for name, ours in walks.items():
        plain = re.sub(r", (half|\d+%)? ?surrounded", "", name)
        if plain == name or plain not in walks:
            continue
        arms = {walk.arm: walk for walk in walks[plain]}
        both = [(arms[walk.arm], walk) for walk in ours if walk.arm in arms]
        whole = [(pool_walks(ALL, [one for one, _ in both]), pool_walks(ALL, [two for _, two in both]))]
        for split in SPLITS:
            families = [whole, both] if len(both) > 1 else [both]
            for family in families:
                found = [(one, two, _compare(one, two, split, columns)) for one, two in family]
                adjusted = holm({one.arm: compared.slope.p for one, _, compared in found})
                for one, two, compared in found:
                    said = _say(results, (one, two), split, compared, adjusted[one.arm] < LEVEL, columns["void"])
                    yield _pace(one.arm, (plain, name), split, (compared, adjusted[one.arm]), said)


def _compare(plain: Walk, surrounded: Walk, split: str, columns: Mapping[str, Column]) -> Comparison:
    gap, harm = columns[f"gap/{split}"], columns[f"harm/{split}"]
    found = compare(surrounded.trail(gap), plain.trail(gap))
    return found if found.scenes else compare(surrounded.trail(harm), plain.trail(harm))


def _say(results: Results, walks: tuple[Walk, Walk], split: str, found: Comparison, sure: bool, void: Column) -> str:
    arm, slope = walks[0].arm, found.slope
    if slope.value is None:
        return f"No {SPLITS[split]} scene was judged in both."
    if not results.fitness.fits(results.fitness.headline):
        return "The start model is unfit for this experiment, so nothing is concluded."
    share = max(void_share(walk, void) for walk in walks)
    if share > VOID_LIMIT:
        return f"{percent(share)} could not be judged, more than the {percent(VOID_LIMIT)} allowed."
    one_seed = " One seed only." if min(found.seeds) == 1 else ""
    if sure:
        faster = "fell faster or rose more slowly" if slope.value < 0 else "fell more slowly or rose faster"
        return f"With surroundings the harm of {arm} {faster}: {change(slope)}.{one_seed}"
    return f"Whether surroundings change how fast the harm of {arm} falls cannot be told at this n.{one_seed}"


def _pace(arm: str, phases: tuple[str, str], split: str, found: tuple[Comparison, float], sentence: str) -> Pace:
    compared, adjusted = found
    return Pace(
        arm=arm,
        plain=phases[0],
        surrounded=phases[1],
        split="held_out" if split == "held_out" else "train_like",
        slope=compared.slope,
        holm=adjusted,
        scenes=compared.scenes,
        sentence=sentence,
    )
