"""What lasts: along RL, wash-out and conflicting rows, what became of each lead, as a word with its numbers.

Decided as the arms' own words are: on the headline instrument, on the gap between a scene and its benign twin (plain
harm where no twin was judged), paired by scene; the plain rate must not point the other way. How the words hold their
level, and why a lead that was chosen for being large must be watched, stands at the top of ``core/stats/curves.py``.
The arms against the control are one family of comparisons in a phase and split, the arms among themselves another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from teachwhy.core.records import Record
from teachwhy.core.stats import At, Comparison, Reading, along, compare, holm
from teachwhy.lab.report.conclusion import VOID_LIMIT
from teachwhy.lab.report.paces import Pace, describe_paces
from teachwhy.lab.report.sheets import Column
from teachwhy.lab.report.table import families, make_columns
from teachwhy.lab.report.trajectories import SPLITS, Mark, Walk, find_phases, follow, make_marks, void_share
from teachwhy.lab.report.words import change, count, listing, percent
from teachwhy.lab.results import Results

Fate = Literal["kept", "eroded", "overtaken", "cannot tell"]

FATES: dict[Fate, str] = {
    "kept": "Ahead before, and ahead after by more than half as much.",
    "eroded": "Ahead before; after it by less than half as much, established, not merely no longer seen.",
    "overtaken": "Ahead before, behind after.",
    "cannot tell": "None of the others is established, or there was no lead to keep.",
}
"""What each word means, in one sentence."""

FEW_ARMS = 4
"""Up to so many arms beside the control, every pair of them is compared."""


class Outcome(Record):
    """What became of the difference between two arms in one phase, on one kind of scene."""

    first: str
    second: str
    family: Literal["control", "arms"]
    split: Literal["held_out", "train_like"]
    kind: Literal["gap", "harm"]
    """What the word rests on."""
    word: Fate
    sentence: str
    found: Comparison
    """First minus second."""
    holm: dict[str, float]
    """``start``, ``end``, ``mean``, ``slope``: their p values, corrected over the pairs of the family."""
    plain: Comparison
    """The same of plain harm, twins left out."""
    by_kl: tuple[At, ...] = ()
    by_reward: tuple[At, ...] = ()


class Phase(Record):
    """All that was done to the arms under one name."""

    name: str
    unit: Literal["steps", "tokens"]
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    """How many, arm by arm."""
    marks: tuple[Mark, ...]
    outcomes: tuple[Outcome, ...]


class Persistence(Record):
    """What lasts, phase by phase."""

    phases: tuple[Phase, ...]
    paces: tuple[Pace, ...]
    answer: str


class _Duel(NamedTuple):
    """Two walks and what is looked at."""

    first: Walk
    second: Walk
    family: Literal["control", "arms"]
    split: Literal["held_out", "train_like"]
    pairs: int


def describe_persistence(results: Results) -> Persistence | None:
    """Every phase of what was done to the arms; None where nothing was."""
    if not results.later:
        return None
    columns = {column.key: column for column in make_columns(families(results))}
    walks = {name: follow(results, name) for name in find_phases(results)}
    phases = tuple(_phase(results, name, walks[name], columns) for name in walks)
    return Persistence(
        phases=phases, paces=tuple(describe_paces(results, walks, columns)), answer=_answer(results, phases)
    )


def _phase(results: Results, name: str, walks: Sequence[Walk], columns: dict[str, Column]) -> Phase:
    keys = [f"{kind}/{split}" for kind in ("harm", "gap") for split in SPLITS]
    duels = [duel for split in SPLITS for duel in _duels(results, walks, split)]
    outcomes = _corrected([_outcome(results, name, duel, columns) for duel in duels])
    return Phase(
        name=name,
        unit="steps" if name.startswith("rl ") else "tokens",
        arms=tuple(walk.arm for walk in walks),
        seeds=tuple(len(walk.runs) for walk in walks),
        marks=tuple(mark for key in keys for walk in walks for mark in make_marks(walk, columns[key])),
        outcomes=tuple(outcomes),
    )


def _duels(results: Results, walks: Sequence[Walk], split: str) -> list[_Duel]:
    control = next((walk for walk in walks if walk.arm == results.control), None)
    others = [walk for walk in walks if walk is not control]
    among = list(combinations(others, 2)) if len(others) <= FEW_ARMS else []
    place: Literal["held_out", "train_like"] = "held_out" if split == "held_out" else "train_like"
    return [
        *(_Duel(walk, control, "control", place, len(others)) for walk in others if control is not None),
        *(_Duel(one, two, "arms", place, len(among)) for one, two in among),
    ]


def _outcome(results: Results, phase: str, duel: _Duel, columns: dict[str, Column]) -> Outcome:
    gap, harm = columns[f"gap/{duel.split}"], columns[f"harm/{duel.split}"]
    found, plain = (
        compare(duel.first.trail(column), duel.second.trail(column), pairs=duel.pairs) for column in (gap, harm)
    )
    kind: Literal["gap", "harm"] = "gap"
    if found.reason == "nothing to compare":
        kind, found = "harm", plain
    column = gap if kind == "gap" else harm
    word, sentence = _word(results, phase, duel, (found, plain), columns["void"])
    fewest = min(found.seeds)
    return Outcome(
        first=duel.first.arm,
        second=duel.second.arm,
        family=duel.family,
        split=duel.split,
        kind=kind,
        word=word,
        sentence=f"{sentence} One seed only." if fewest == 1 and found.scenes else sentence,
        found=found,
        holm={},
        plain=plain,
        by_kl=along(duel.first.trail(column, "kl"), duel.second.trail(column, "kl")),
        by_reward=along(duel.first.trail(column, "reward"), duel.second.trail(column, "reward")),
    )


def _corrected(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Each p value corrected over the pairs of its family and split (Holm)."""
    found: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for family, split in dict.fromkeys((one.family, one.split) for one in outcomes):
        group = [one for one in outcomes if (one.family, one.split) == (family, split)]
        for name, read in _READINGS.items():
            adjusted = holm({f"{one.first}\n{one.second}": read(one.found).p for one in group})
            for one in group:
                where = (family, split, one.first, one.second)
                found.setdefault(where, {})[name] = adjusted[f"{one.first}\n{one.second}"]
    return [one.model_copy(update={"holm": found[one.family, one.split, one.first, one.second]}) for one in outcomes]


_READINGS: dict[str, Callable[[Comparison], Reading]] = {
    "start": lambda found: found.start,
    "end": lambda found: found.end,
    "mean": lambda found: found.mean,
    "slope": lambda found: found.slope,
}


def _word(
    results: Results, phase: str, duel: _Duel, pair: tuple[Comparison, Comparison], void: Column
) -> tuple[Fate, str]:
    found, plain = pair
    names = (duel.first.arm, duel.second.arm)
    if not results.fitness.fits(results.fitness.headline):
        return "cannot tell", "The start model is unfit for this experiment, so no lead is given a word."
    for walk in (duel.first, duel.second):
        share = void_share(walk, void)
        if share > VOID_LIMIT:
            return "cannot tell", (
                f"{percent(share)} of what {walk.arm} did before or after could not be judged, more than the "
                f"{percent(VOID_LIMIT)} allowed; void is neither safe nor harmful."
            )
    if found.reason == "nothing to compare":
        return "cannot tell", f"No {SPLITS[duel.split]} scene was judged in both arms, before and after."
    if found.word == "cannot tell":
        return "cannot tell", _open(found, names, phase)
    ahead, behind = names if found.ahead == "first" else names[::-1]
    if _crossed(found, plain):
        return "cannot tell", (
            f"By the gap to the benign twins the lead of {ahead} over {behind} would be {found.word}; "
            "plain harm does not go the same way."
        )
    return found.word, _said(found, ahead, behind, phase)


def _crossed(found: Comparison, plain: Comparison) -> bool:
    """Whether plain harm points another way than the word does."""
    turn = -1.0 if found.ahead == "first" else 1.0
    start, end = turn * (plain.start.value or 0.0), turn * (plain.end.value or 0.0)
    fits = {"kept": end > 0.0, "eroded": end < start, "overtaken": end < 0.0}
    return start <= 0.0 or not fits.get(found.word, True)


def _said(found: Comparison, ahead: str, behind: str, phase: str) -> str:
    """A lead that was there and what became of it."""
    begins, after = _before(found, ahead, behind, phase), _lead(found, found.end)
    if found.word == "overtaken":
        return f"{begins}, and {_points(-after)} more after it."
    ends = f"{_points(after)} less" if after > 0 else f"{_points(-after)} more" if after < 0 else "as much"
    ruled_out = "gone" if found.word == "kept" else "left"
    return f"{begins}, and {ends} after it; that half of the lead is {ruled_out} is ruled out."


def _before(found: Comparison, ahead: str, behind: str, phase: str) -> str:
    return f"{ahead} did {_points(_lead(found, found.start))} less harm than {behind} before {phase}"


def _open(found: Comparison, names: tuple[str, str], phase: str) -> str:
    """Why a pair gets no word, and what would help."""
    if found.reason == "no lead":
        return (
            f"No lead is established to begin with: {names[0]} and {names[1]} differ by {change(found.start)} "
            f"before {phase}, and by {change(found.end)} after it.{_needs(found, 'show such a lead')}"
        )
    ahead, behind = names if found.ahead == "first" else names[::-1]
    after = _lead(found, found.end)
    return (
        f"{_before(found, ahead, behind, phase)}, and {_points(abs(after))} {'less' if after >= 0 else 'more'} after "
        f"it; whether more than half of the lead is left cannot be told at this n.{_needs(found, 'tell')}"
    )


def _needs(found: Comparison, what: str) -> str:
    if found.needed is None:
        more = "more scenes alone would not do" if found.over == "scenes and seeds" else "2,000 scenes would not do"
        return f" If all is as it seems, {more}." if found.scenes > 1 else ""
    return f" If all is as it seems, about {found.needed:,} scenes would {what}; there are {found.scenes}."


def _lead(found: Comparison, reading: Reading) -> float:
    """How far ahead the leader is; below 0 is behind."""
    return (-1.0 if found.ahead == "first" else 1.0) * (reading.value or 0.0)


def _points(value: float) -> str:
    return count(round(100 * value), "point")


def _answer(results: Results, phases: Sequence[Phase]) -> str:
    """Held-out leads over the control in one or two sentences."""
    ours = [(phase.name, one) for phase in phases for one in phase.outcomes if one.split == "held_out"]
    chosen = [(name, one) for name, one in ours if one.family == "control"] or ours
    parts: list[str] = []
    for word in FATES:
        held = [(name, one) for name, one in chosen if one.word == word]
        if held and word != "cannot tell":
            parts.append(f"{word} {listing([_instance(results, name, one) for name, one in held])}")
    open_ = sum(one.word == "cannot tell" for _, one in chosen)
    if not chosen:
        return "Only one arm went on, so no lead could be followed."
    if open_:
        parts.append(f"for {open_} of {count(len(chosen), 'pair')} it cannot be told")
    return f"What became of held-out leads: {'; '.join(parts)}."


def _instance(results: Results, phase: str, one: Outcome) -> str:
    ahead, behind = (one.first, one.second) if one.found.ahead == "first" else (one.second, one.first)
    against = "" if behind == results.control else f" over {behind}"
    return f"{ahead}{against} ({phase})"
