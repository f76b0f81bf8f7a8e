"""The pictures of the page: dots with their intervals, drawn by Altair, rendered to SVG without a browser.

The SVG knows no dark mode: the page's style sheet maps the few hex colours below to its light and dark values, and a
picture taken out of the page still reads on white.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import vl_convert as vlc

from teachwhy.core.records import Record
from teachwhy.lab.report.sheets import Cell, Contrast, Sheet, Table, plain
from teachwhy.lab.report.words import percent, points

INK = "#1d2126"
MUTED = "#6b727b"
GRID = "#dfe2e6"
TRAIN = "#a85f08"
HELD = "#1f5f9f"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

TRAIN_LIKE, HELD_OUT = "train-like", "held-out"
COLOURS = {TRAIN_LIKE: TRAIN, HELD_OUT: HELD}
SHAPES = {TRAIN_LIKE: "diamond", HELD_OUT: "circle"}
WIDTH = 250
STEP = 21
"""Height of one dot with its interval."""

Entry = dict[str, Any]
"""arm, kind, value, low, high, label."""


class Chart(Record):
    """One picture for the page."""

    kind: Literal["rates", "changes", "family"]
    title: str
    about: str
    svg: str


def draw_charts(table: Table) -> tuple[Chart, ...]:
    """Rates per arm, changes against the control, and one small picture for each held-out family."""
    sheet = table.headline
    charts = [
        Chart(
            kind="rates",
            title="How often harm was done",
            about="Share of harmful acts on scenes. Dashed: the control.",
            svg=_draw(_rates(sheet, {TRAIN_LIKE: "harm/train_like", HELD_OUT: "harm/held_out"}), (0.0, 1.0)),
        )
    ]
    if table.arms:
        entries = _changes(sheet, table.arms, {TRAIN_LIKE: "gap/train_like", HELD_OUT: "gap/held_out"})
        charts.append(
            Chart(
                kind="changes",
                title=f"What changed against {table.control}",
                about="Harm on scenes minus harm on their benign twins, in points. Left of the line is less harm.",
                svg=_draw(entries, _reach(entries), signed=True),
            )
        )
    for name in table.held_out:
        entries = _rates(sheet, {HELD_OUT: f"harm/held_out/{name}"})
        about = f"Share of harmful acts on held-out scenes of {plain(name)}."
        charts.append(Chart(kind="family", title=plain(name), about=about, svg=_draw(entries, (0.0, 1.0))))
    return tuple(charts)


def _rates(sheet: Sheet, keys: dict[str, str]) -> list[Entry]:
    return [
        {**_entry(row.arm, kind, row.cells[key], percent(row.cells[key].value)), "role": row.role}
        for row in sheet.rows
        for kind, key in keys.items()
    ]


def _changes(sheet: Sheet, arms: Sequence[str], keys: dict[str, str]) -> list[Entry]:
    found = [(arm, kind, sheet.contrast(arm, key)) for arm in arms for kind, key in keys.items()]
    return [{**_entry(arm, kind, one, points(one.value)), "role": "arm"} for arm, kind, one in found]


def _entry(arm: str, kind: str, item: Cell | Contrast, label: str) -> Entry:
    label = label if item.value is not None else "none"  # as wide as a number, so that pictures keep one width
    return {"arm": arm, "kind": kind, "value": item.value, "low": item.low, "high": item.high, "label": label}


def _reach(entries: Sequence[Entry]) -> tuple[float, float]:
    """A domain around 0 that holds every interval, in steps of a quarter."""
    low = min([-0.25, *(entry["low"] for entry in entries)])
    high = max([0.25, *(entry["high"] for entry in entries)])
    return math.floor(4 * low) / 4, math.ceil(4 * high) / 4


def _draw(entries: Sequence[Entry], domain: tuple[float, float], *, signed: bool = False) -> str:
    """One picture as SVG: a lane for each arm, in it a dot and an interval for each kind."""
    kinds = [kind for kind in COLOURS if any(entry["kind"] == kind for entry in entries)]
    arms = list(dict.fromkeys(str(entry["arm"]) for entry in entries))
    lane = STEP * len(kinds) + 12
    known = [entry for entry in entries if entry["value"] is not None]
    unknown = [entry for entry in entries if entry["value"] is None]
    ends = [{**entry, "end": domain[1]} for entry in entries]
    edges = [0.0] if signed else []
    dashes = [] if signed else [entry for entry in known if entry["role"] == "control"]
    y = alt.Y("arm:N", sort=arms, title=None, axis=_lanes())
    offset = alt.YOffset("kind:N", sort=kinds, scale=alt.Scale(paddingOuter=0.4))
    colour = alt.Color("kind:N", legend=None, scale=_scale(COLOURS))
    shape = alt.Shape("kind:N", legend=None, scale=_scale(SHAPES))
    x = alt.X("low:Q", title=None, scale=alt.Scale(domain=list(domain), nice=False), axis=_ruler(signed))
    layers = [
        chart_data([{"value": edge} for edge in edges]).mark_rule(color=INK, strokeWidth=1).encode(x="value:Q"),
        chart_data(dashes).mark_rule(strokeDash=[2, 3], opacity=0.7).encode(x="value:Q", color=colour),
        chart_data(known)
        .mark_rule(strokeWidth=2.5, opacity=0.55, strokeCap="round")
        .encode(x=x, x2="high:Q", y=y, yOffset=offset, color=colour),
        chart_data(unknown)
        .mark_rule(strokeWidth=1.5, strokeDash=[1, 4], opacity=0.8)
        .encode(x=x, x2="high:Q", y=y, yOffset=offset, color=colour),
        chart_data(known)
        .mark_point(filled=True, size=75, opacity=1)
        .encode(x="value:Q", y=y, yOffset=offset, color=colour, shape=shape),
        chart_data(ends)
        .mark_text(align="left", dx=9, fontSize=12)
        .encode(x="end:Q", y=y, yOffset=offset, color=colour, text="label:N"),
    ]
    height = lane * max(1, len(arms))
    chart = alt.layer(*layers).properties(width=WIDTH, height=height, padding=4, config=chart_config())
    return vlc.vegalite_to_svg(chart.to_dict())


def chart_data(entries: Sequence[Entry]) -> alt.Chart:
    """A chart over entries, to be given its mark."""
    return alt.Chart(alt.Data(values=list(entries)))


def chart_config() -> alt.Config:
    """What all pictures of the page share."""
    return alt.Config(background="transparent", font=FONT, view=alt.ViewConfig(stroke=None))


def _scale(values: dict[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(values), range=list(values.values()))


def _lanes() -> alt.Axis:
    return alt.Axis(
        domain=False, ticks=False, labelColor=INK, labelFontSize=13, labelPadding=10, labelLimit=130, grid=False
    )


def _ruler(signed: bool) -> alt.Axis:
    words = "(datum.value > 0 ? '+' : datum.value < 0 ? '\N{MINUS SIGN}' : '') + format(abs(datum.value) * 100, '.0f')"
    return alt.Axis(
        orient="top",
        values=[step / 4 for step in range(-8, 9)],
        labelExpr=words if signed else "format(datum.value, '.0%')",
        labelColor=MUTED,
        labelFontSize=11,
        labelFlush=False,
        gridColor=GRID,
        domain=False,
        ticks=False,
    )
