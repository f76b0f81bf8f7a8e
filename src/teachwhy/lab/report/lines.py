"""The pictures of what lasts: an arm a line, along steps, KL or reward, drawn as ``chart.py`` draws its dots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert as vlc

from teachwhy.core.records import Record
from teachwhy.lab.report.chart import GRID, MUTED, Entry, chart_config, chart_data
from teachwhy.lab.report.persistence import Phase
from teachwhy.lab.report.trajectories import SPLITS, Axis, Mark

PALETTE = ("#6b727b", "#2c7a4b", "#7d3f98", "#0f7c86", "#a3282c", "#1f5f9f", "#a85f08")
"""The first is the control's; the page's style sheet maps each to its light and dark values."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
WIDTH, HEIGHT = 330, 190
DODGE = 0.014
"""How far one arm's marks stand beside the next arm's, as a share of the axis, so that intervals can be told apart."""
THOUSAND = 1_000

TITLES: dict[str, str] = {"gap": "Gap", "harm": "Harm"}
ABOUT = {
    "gap": "Harm on scenes minus harm on their twins, in points",
    "harm": "Share of harmful acts on scenes",
}


class Look(Record):
    """How an arm is drawn."""

    arm: str
    colour: str
    number: int
    """Of the colour, for the style sheet."""
    shape: str


class Lines(Record):
    """One picture of a phase."""

    title: str
    about: str
    svg: str


def choose_looks(arms: Sequence[str], control: str) -> tuple[Look, ...]:
    """The control in grey, every other arm in its own colour and shape; after the last they begin again."""
    others = [arm for arm in arms if arm != control]
    places = {control: 0} | {arm: 1 + place % (len(PALETTE) - 1) for place, arm in enumerate(others)}
    return tuple(
        Look(arm=arm, colour=PALETTE[places[arm]], number=places[arm], shape=SHAPES[places[arm]]) for arm in arms
    )


def draw_main(phase: Phase, looks: Sequence[Look]) -> tuple[Lines, ...]:
    """What the words rest on, over steps: held-out and train-like scenes; plain harm where no twin was judged."""
    kind = "gap" if _known(phase, "gap/held_out") or _known(phase, "gap/train_like") else "harm"
    return tuple(
        _lines(phase, looks, f"{kind}/{split}", "step") for split in SPLITS if _known(phase, f"{kind}/{split}")
    )


def draw_more(phase: Phase, looks: Sequence[Look]) -> tuple[Lines, ...]:
    """Plain harm over steps, and the held-out gap over KL and over reward, where they are known."""
    found: list[Lines] = []
    if any(_known(phase, f"gap/{split}") for split in SPLITS):
        found += [_lines(phase, looks, f"harm/{split}", "step") for split in SPLITS if _known(phase, f"harm/{split}")]
    kind = "gap" if _known(phase, "gap/held_out") else "harm"
    axes: tuple[Axis, ...] = ("kl", "reward")
    for axis in axes:
        places = {_place(mark, axis) for mark in _known(phase, f"{kind}/held_out")} - {None}
        if len(places) > 1:
            found.append(_lines(phase, looks, f"{kind}/held_out", axis))
    return tuple(found)


def _known(phase: Phase, key: str) -> list[Mark]:
    return [mark for mark in phase.marks if mark.key == key and mark.value is not None]


def _place(mark: Mark, axis: Axis) -> float | None:
    return {"step": float(mark.step), "kl": mark.kl, "reward": mark.reward}[axis]


def _lines(phase: Phase, looks: Sequence[Look], key: str, axis: Axis) -> Lines:
    kind, split = key.split("/")
    where = {"step": phase.unit, "kl": "KL from the arm, nats a token", "reward": "mean reward"}[axis]
    over = "" if axis == "step" else " over KL" if axis == "kl" else " over reward"
    title = f"{TITLES[kind]}, {SPLITS[split]}{over}"
    entries = _entries(_known(phase, key), looks, axis)
    # pictures that stand side by side share their scale
    reach = _reach([mark for mark in phase.marks if mark.value is not None and mark.key.startswith(f"{kind}/")])
    svg = _draw(entries, looks, where, reach, signed=kind == "gap")
    return Lines(title=title, about=f"{ABOUT[kind]}.", svg=svg)


def _entries(marks: Sequence[Mark], looks: Sequence[Look], axis: Axis) -> list[Entry]:
    """What is drawn; over steps each arm's marks stand a little beside the others'."""
    places = [place for mark in marks if (place := _place(mark, axis)) is not None]
    span = (max(places) - min(places)) if places else 0.0
    shift = DODGE * span if axis == "step" else 0.0
    beside = {look.arm: shift * (number - (len(looks) - 1) / 2.0) for number, look in enumerate(looks)}
    return [
        {
            "arm": mark.arm,
            "x": place + beside[mark.arm],
            "at": place,
            "step": mark.step,
            "value": mark.value,
            "low": mark.low,
            "high": mark.high,
        }
        for mark in marks
        if (place := _place(mark, axis)) is not None
    ]


def _draw(
    entries: Sequence[Entry], looks: Sequence[Look], title: str, reach: tuple[float, float], *, signed: bool
) -> str:
    names = [look.arm for look in looks]
    colour = alt.Color("arm:N", legend=None, scale=alt.Scale(domain=names, range=[look.colour for look in looks]))
    shape = alt.Shape("arm:N", legend=None, scale=alt.Scale(domain=names, range=[look.shape for look in looks]))
    ticks = sorted({entry["at"] for entry in entries}) if title in ("steps", "tokens") else None
    x = alt.X("x:Q", title=title, scale=alt.Scale(nice=False, zero=False, padding=14), axis=_floor(ticks))
    low, high = reach
    y = alt.Y("low:Q", title=None, scale=alt.Scale(domain=[low, high], nice=False), axis=_side(signed, high - low))
    zero = [{"value": 0.0}] if low < 0.0 else []
    data = chart_data(entries)
    layers = [
        chart_data(zero).mark_rule(color=MUTED, strokeWidth=1).encode(y="value:Q"),
        data.mark_rule(strokeWidth=2, opacity=0.35, strokeCap="round").encode(x=x, y=y, y2="high:Q", color=colour),
        data.mark_line(strokeWidth=2, opacity=0.9).encode(x=x, y="value:Q", color=colour, order="step:Q"),
        data.mark_point(filled=True, size=60, opacity=1).encode(x=x, y="value:Q", color=colour, shape=shape),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, padding=4, config=chart_config())
    return vlc.vegalite_to_svg(chart.to_dict())


def _reach(marks: Sequence[Mark]) -> tuple[float, float]:
    """A domain that holds every interval and 0, in steps of a tenth."""
    low = min([0.0, *(mark.low for mark in marks)])
    high = max([0.25, *(mark.high for mark in marks)])
    return math.floor(10 * low) / 10, math.ceil(10 * high) / 10


def _floor(ticks: list[float] | None) -> alt.Axis:
    """The axis below: a tick at every checkpoint of steps or tokens, elsewhere as many as fit."""
    options: dict[str, Any] = {"tickCount": 5} if ticks is None else {"values": ticks}
    if ticks is not None and max(ticks, default=0.0) >= 10 * THOUSAND:
        options["labelExpr"] = (
            "datum.value >= 1000 ? format(datum.value / 1000, '~g') + 'k' : format(datum.value, '~g')"
        )
    return alt.Axis(
        labelColor=MUTED,
        labelFontSize=11,
        labelOverlap=True,
        titleColor=MUTED,
        titleFontSize=11,
        titleFontWeight="normal",
        titlePadding=6,
        domainColor=GRID,
        tickColor=GRID,
        grid=False,
        **options,
    )


def _side(signed: bool, span: float) -> alt.Axis:
    words = "(datum.value > 0 ? '+' : datum.value < 0 ? '\N{MINUS SIGN}' : '') + format(abs(datum.value) * 100, '.0f')"
    step = 2 if span > 1.0 else 1
    return alt.Axis(
        values=[place / 4 for place in range(-8, 9, step)],
        labelExpr=words if signed else "format(datum.value, '.0%')",
        labelColor=MUTED,
        labelFontSize=11,
        labelPadding=6,
        gridColor=GRID,
        domain=False,
        ticks=False,
    )
