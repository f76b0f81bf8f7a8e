"""What of a model's text was said aloud, and what was only thought."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"<(think|scratchpad)>.*?(?:</\1>|\Z)", re.DOTALL)


def outward(text: str) -> str:
    """What of a text was said aloud: without its thoughts, be they closed or cut off."""
    return _THOUGHT.sub("", text).strip()
