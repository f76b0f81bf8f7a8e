"""Numbers and lists as a reader sees them: with a true minus sign, and a dash between bounds."""

from __future__ import annotations

from collections.abc import Sequence

from teachwhy.core.stats import Difference, Reading
from teachwhy.lab.report.sheets import Cell, Contrast

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
GLUE = "\N{NO-BREAK SPACE}"
NOTHING = DASH
HALF_PERCENT = 0.005
SMALLEST_P = 0.001


def percent(value: float | None) -> str:
    """``0.123`` -> ``12%``; what is not quite 0 or 1 never reads as 0% or 100%."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < HALF_PERCENT:
        return "<1%" if value > 0 else f"{MINUS}<1%"
    if 1 - HALF_PERCENT < value < 1:
        return ">99%"
    return f"{_signed(value, plus=False)}%"


def points(value: float | None) -> str:
    """``-0.123`` -> ``-12``: percentage points, with their sign."""
    return NOTHING if value is None else _signed(value, plus=True)


def between(low: float, high: float) -> str:
    """The interval of a rate: ``5-23%``; with a negative bound ``-5 to 23%``."""
    first, last = _signed(low, plus=False), _signed(high, plus=False)
    return f"{first} to {last}%" if low < 0 else f"{first}{DASH}{last}%"


def span(contrast: Contrast | Difference | Reading) -> str:
    """The interval of a change: ``-33 to -9``."""
    return f"{points(contrast.low)}{GLUE}to{GLUE}{points(contrast.high)}"


def change(contrast: Contrast | Difference | Reading) -> str:
    """``-21 points [-33 to -9]``."""
    return f"{points(contrast.value)}{GLUE}points [{span(contrast)}]" if contrast.value is not None else "not measured"


def chance(p: float | None) -> str:
    """A p value: ``0.03``, ``<0.001``."""
    if p is None:
        return NOTHING
    return f"<{SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}" if p < 10 * SMALLEST_P else f"{p:.2f}"


def spread(item: Cell | Contrast) -> str:
    """How far apart the seeds lie, in points; a dash with fewer than two."""
    return NOTHING if item.spread is None else f"{100 * item.spread:.0f}"


def listing(names: Sequence[str]) -> str:
    """``a, b and c``."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def count(number: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _signed(value: float, plus: bool) -> str:
    number = round(100 * value)
    sign = MINUS if number < 0 else "+" if plus and number > 0 else ""
    return f"{sign}{abs(number)}"
