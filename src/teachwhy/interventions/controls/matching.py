"""How near a control comes to its arm, in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from teachwhy.core.records import Example
from teachwhy.interventions.intervention import Order


def match(order: Order, rows: Sequence[Example]) -> dict[str, Any]:
    """The tokens of the arm and the share of them that its control has, for the manifest; nothing without an arm."""
    if not order.rows:
        return {}
    arm, control = sum(row.tokens for row in order.rows), sum(row.tokens for row in rows)
    return {
        "rows_of_the_arm": len(order.rows),
        "tokens_of_the_arm": arm,
        "share_matched": round(control / max(arm, 1), 3),
    }
