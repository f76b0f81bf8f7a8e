"""What is measured, by every eval: the text that no training row may share."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from teachwhy.core.errors import ModelError
from teachwhy.evals.constitution.items import measured_text as items_text
from teachwhy.evals.registry import EVALS
from teachwhy.judges.gold import GOLD


@cache
def all_measured_text(items: str = "") -> dict[str, str]:
    """The texts of every eval and of the judges' gold set, ``eval/file`` to text.

    With ``items``, a folder of a user's own about their constitution, these too. Those of an eval whose package is not
    installed are left out: nothing can be measured with it here either.
    """
    found = {f"gold/{path.parent.name}/{path.name}": path.read_text("utf-8") for path in sorted(GOLD.glob("*/*.md"))}
    for name, one in EVALS.items():
        try:
            texts = one.measured_text()
        except ModelError:
            continue
        found |= {f"{name}/{file}": text for file, text in texts.items()}
    own = items_text(Path(items)) if items else {}
    return found | {f"items/{file}": text for file, text in own.items()}
