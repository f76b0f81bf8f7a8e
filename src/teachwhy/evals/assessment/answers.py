"""Where the last whole sentence of an answer ends."""

from __future__ import annotations

import re

_END = re.compile(r"[.!?][\"'”’)*]*(?=\s|$)")


def whole_sentences(text: str) -> str:
    """The text up to its last whole sentence, or all of it if there is no sentence's end in it."""
    ends = list(_END.finditer(text))
    return text[: ends[-1].end()] if ends else text
