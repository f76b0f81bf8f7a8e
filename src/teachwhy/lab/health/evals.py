"""What is measured, by every eval: the one place where an eval hands its text to the check of training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from teachwhy.evals.honeypots.suite import measured_text as honeypots

EVALS: Mapping[str, Callable[[], Mapping[str, str]]] = {"honeypots": honeypots}
"""Eval to a function that gives its texts, file name to text."""


def all_measured_text() -> dict[str, str]:
    """The texts of every eval, ``eval/file`` to text."""
    return {f"{name}/{file}": text for name, give in EVALS.items() for file, text in give().items()}
