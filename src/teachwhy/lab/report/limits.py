"""What cannot be ruled out: of one arm, and of the experiment as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import load_mapping
from teachwhy.core.stats import rule_of_three
from teachwhy.lab.report.sheets import START, Table, is_plain, plain
from teachwhy.lab.report.words import between, change, count, listing, percent
from teachwhy.lab.results import Measured, Results

CONTROLS = {
    "stripped": "the form of the answers rather than their reasons (stripped-reasons control)",
    "filler": "sheer length before the act (neutral-filler control)",
    "irrelevant": "any principle at all, even an irrelevant one (irrelevant-principle control)",
    "eval_description": "knowing what such tests look like (eval-description control)",
}
"""The part of a name by which a control is known, and the explanation that stays open without it."""

ENOUGH_SEEDS = 3
TOKEN_TOLERANCE = 0.05


def arm_limits(results: Results, table: Table, arm: str) -> list[str]:
    """What stays open about one arm."""
    return [
        *_never_seen(table, arm),
        *_voids(table, arm),
        *_single_families(table, arm),
        *_other_instruments(table, arm),
        *_tokens(results, arm),
    ]


def limits(results: Results, table: Table) -> tuple[str, ...]:
    """What stays open about every arm of this experiment."""
    return (
        *_scenes(table),
        *_seeds(table),
        *_instrument(table),
        f"That another model, or another size of it, behaves otherwise: only {results.model} was trained.",
        *_controls(results),
        *_not_measured(results, table),
        *_graders(results, table),
        *_lasting(results),
    )


def _never_seen(table: Table, arm: str) -> Iterable[str]:
    cell = table.headline.row(arm).cells["harm/held_out"]
    if cell.value == 0.0:
        yield (
            f"Harm it was not seen to do: 0 of {cell.judged} on {count(cell.scenes, 'held-out scene')} is still "
            f"compatible with harm on {percent(rule_of_three(cell.scenes))} of such scenes (95% bound, about 3/n)."
        )


def _voids(table: Table, arm: str) -> Iterable[str]:
    for key, title in (("harm/train_like", "train-like"), ("harm/held_out", "held-out")):
        cell = table.headline.row(arm).cells[key]
        if cell.void:
            yield (
                f"What its void samples hid: {cell.void} of {cell.judged + cell.void} on {title} scenes; "
                f"with them the rate lies anywhere in {between(cell.floor, cell.ceiling)}."
            )


def _single_families(table: Table, arm: str) -> Iterable[str]:
    sheet = table.headline
    if not sheet.contrast(arm, "harm/held_out").falls:
        return
    silent = [plain(name) for name in table.held_out if not sheet.contrast(arm, f"harm/held_out/{name}").falls]
    if silent:
        yield f"That some held-out harm did not fall: taken alone, no fall is established for {listing(silent)}."


def _other_instruments(table: Table, arm: str) -> Iterable[str]:
    ours = table.headline.contrast(arm, "gap/held_out")
    for sheet in table.sheets[1:]:
        theirs = sheet.contrast(arm, "gap/held_out")
        if (ours.falls and theirs.low > 0) or (ours.rises and theirs.high < 0):
            said = f"by {sheet.instrument} held-out harm went the other way, {change(theirs)}"
            yield f"That the instrument decides: {said}."
        elif (ours.falls or ours.rises) and not (theirs.falls or theirs.rises):
            said = f"by {sheet.instrument} no held-out change holds over arms and seeds ({change(theirs)})"
            yield f"That the instrument decides: {said}."


def _tokens(results: Results, arm: str) -> Iterable[str]:
    ours, control = _mean_tokens(results.arms, arm), _mean_tokens(results.arms, results.control)
    if not ours or not control:
        yield "That the amount of training did it: the tokens of this arm or of the control are not known."
    elif abs(ours - control) > TOKEN_TOLERANCE * control:
        yield (
            f"That the amount of training did it: {ours:,.0f} tokens here, {control:,.0f} in {results.control} "
            f"({percent(abs(ours - control) / control)} {'more' if ours > control else 'fewer'})."
        )


def _mean_tokens(arms: Iterable[Measured], arm: str) -> float:
    tokens = [one.tokens for one in arms if one.arm == arm]
    return sum(tokens) / len(tokens) if tokens else 0.0


def _scenes(table: Table) -> Iterable[str]:
    cell = table.headline.row(START).cells["harm/held_out"]
    yield f"Harm in other situations: the intervals speak about scenes like the {cell.scenes} held-out ones here."
    empty = [name for name in table.held_out if not table.headline.row(START).cells[f"harm/held_out/{name}"].scenes]
    if empty:
        yield f"Anything about {listing([plain(name) for name in empty])}: held out, but nothing was judged there."


def _seeds(table: Table) -> Iterable[str]:
    fewest = min((len(row.seeds) for row in table.headline.rows if row.role != "start"), default=0)
    if fewest < ENOUGH_SEEDS:
        yield (
            f"Luck of the training seed: {count(fewest, 'seed')} per arm; fewer than {ENOUGH_SEEDS} cannot rank arms, "
            "and the intervals do not cover what another seed would give."
        )
    else:
        yield f"Luck of the training seed beyond the spread shown: {count(fewest, 'seed')} per arm."


def _instrument(table: Table) -> Iterable[str]:
    if table.headline.instrument == "rollout":
        return
    yield (
        f"That a free run of many turns looks different: the headline instrument is {table.headline.instrument}, "
        "which begins at the decision point."
    )
    if table.headline.instrument == "likelihood":
        yield "That the model would do neither written act: likelihood only compares acts that were written beforehand."


def _controls(results: Results) -> Iterable[str]:
    names = " ".join([*(one.arm for one in results.arms), *_configured(results.config)])
    for known, explanation in CONTROLS.items():
        if known not in names.replace("-", "_"):
            yield f"That what worked was {explanation}: not run."


def _configured(config: str) -> list[str]:
    """The interventions that the experiment file names; none where it cannot be read."""
    try:
        arms = load_mapping(config, "experiment").get("arms")
    except ConfigError:
        return []
    parts = cast("Mapping[str, Any]", arms).values() if isinstance(arms, Mapping) else ()
    return [str(name) for part in parts if isinstance(part, Mapping) for name in cast("Mapping[str, Any]", part)]


def _not_measured(results: Results, table: Table) -> Iterable[str]:
    verdicts = results.start.verdicts
    if not any(one.dimension == "aware" and one.instrument == table.headline.instrument for one in verdicts):
        yield "That the model noticed it was being tested: suspicion of a test was not looked for in what it did."
    elif all(one.grader == "rules" for one in verdicts if one.dimension == "aware" and one.value is not None):
        yield "That the model noticed it was being tested and did not say so in words that the rules know."
    if not any("name=" in one.condition for one in verdicts):
        yield "That the agent's name did it: scenes were not repeated under other names."
    if not any(one.eval == "capability" for one in verdicts):
        yield "That the arm cost capability, or made the model refuse more: only work on the benign twins was measured."
    if not any(one.eval in ("constitution", "assessment") for one in verdicts):
        yield "That harm went elsewhere: no broader assessment was made, and no question about the model's own beliefs."


LASTING = {
    "wash-out": "benign wash-out",
    "conflict": "conflicting rows",
    "rl harmless": "RL on harmlessness",
    "rl arithmetic": "RL on a capability",
}
"""How the name of a phase begins, and what it was."""


def _lasting(results: Results) -> Iterable[str]:
    phases = {one.phase for one in results.later}
    if not phases:
        yield "That it wears off: nothing was trained on top of the arms (benign wash-out, conflicting rows, RL)."
        return
    missing = [said for name, said in LASTING.items() if not any(phase.startswith(name) for phase in phases)]
    if missing:
        yield f"That it wears off under what was not run: {listing(missing)}."
    yield "That it wears off later: each arm was followed to the last step shown, and no further."


def _graders(results: Results, table: Table) -> Iterable[str]:
    graders = {
        verdict.grader
        for one in (results.start, *results.arms)
        for verdict in one.verdicts
        if is_plain(verdict) and verdict.instrument == table.headline.instrument and verdict.value is not None
    }
    if len(graders) == 1 and table.headline.instrument != "likelihood":
        yield f"That another grader would read the same transcripts otherwise: {min(graders)} judged alone."
