"""The constitution as writers are shown it."""

from __future__ import annotations

from collections.abc import Collection

from teachwhy.constitution import Constitution


def clause_texts(constitution: Constitution, ids: Collection[str]) -> str:
    """The clauses of these ids, headings and all; the whole text where none of them is in this constitution."""
    found = [clause for clause in constitution.clauses if clause.id in ids]
    return "\n\n".join(f"## {clause.heading}\n\n{clause.text}" for clause in found or constitution.clauses)


def whole_text(constitution: Constitution) -> str:
    """The constitution from its opening to its last clause."""
    return "\n\n".join(part for part in (constitution.opening, clause_texts(constitution, ())) if part)
