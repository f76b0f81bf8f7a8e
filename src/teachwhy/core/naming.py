"""Whether the model that answered is the one that was asked."""

from __future__ import annotations

import re

_VERSION = re.compile(
    r"([-:]latest|(-preview|-exp)?[-@:_](\d{3,4}|\d{6,8}|\d{4}[-.]\d\d([-.]\d\d)?|\d\d-\d\d(\d\d)?))?"
)
"""What may follow a name: nothing, a date, a number of three digits or more; ``-5`` or ``.1`` makes another model."""


def is_same_model(asked: str, answered: str) -> bool:
    """Whether the model that answered is the one asked for: its own name, or a dated version of it.

    ``asked`` is Inspect's name, provider first; ``answered`` is what the provider says.
    """
    wanted, said = asked.lower(), answered.lower().rstrip("/")
    parts = wanted.split("/")
    names = ["/".join(parts[at:]) for at in range(len(parts))]
    # an alias is answered with the version that it stands for
    names += [name.removesuffix(name[-7:]) for name in names if name.endswith(("-latest", ":latest"))]
    return any(said.startswith(name) and _VERSION.fullmatch(said[len(name) :]) for name in names)
