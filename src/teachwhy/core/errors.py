"""The three ways a run goes wrong, named after the boundary that was crossed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TeachwhyError(Exception):
    """A mistake that a person can mend: printed as one line, exit code 2."""


class ConfigError(TeachwhyError):
    """An experiment, scene, constitution or command line says something that cannot be."""


class ModelError(TeachwhyError):
    """A model is missing, is not what it claims to be, or cannot do what is asked of it."""


class GradeError(TeachwhyError):
    """A transcript reached a grader that cannot judge it."""


def guess(word: str, known: Iterable[str]) -> str:
    """Say what was probably meant, and what there is: ``did you mean 'x'? There is: x, y``."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}There is: {', '.join(names) or 'nothing'}"
