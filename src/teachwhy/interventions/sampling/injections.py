"""What is added to an agent's system prompt while its turn is sampled: ``injections/<name>.md``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from teachwhy.core.markdown import split_front_matter

RUTHLESS = "ruthless"
"""The persona that tempts; it stays in the row."""
CONGLOMERATE = "conglomerate"
"""All that are taken out again, in one."""


@cache
def load_injections() -> Mapping[str, str]:
    """Name to text."""
    found: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / "injections").glob("*.md")):
        found[path.stem] = split_front_matter(path.read_text(encoding="utf-8"), f"injections/{path.name}")[1].strip()
    found[CONGLOMERATE] = "\n\n".join(text for name, text in found.items() if name != RUTHLESS)
    return found
