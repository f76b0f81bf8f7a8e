"""What all statistics take in: one judged or void sample with its scene; and what they share."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

LEVEL = 0.95
ALIKE = 1e-9
"""A standard error below this is what rounding leaves among equal numbers."""


class Observation(NamedTuple):
    """One judged or void sample."""

    cluster: str
    """The scene's id."""
    value: float | None
    """In [0, 1]; None is void."""


class Gap(Observation):
    """A scene's mean minus its twin's, so in [-1, 1]; the type is how ``paired_difference`` knows the wider range."""

    __slots__ = ()


def by_cluster(observations: Iterable[Observation], lowest: float = 0.0) -> dict[str, list[float]]:
    """Judged values by cluster; a cluster that is all void is absent.

    Raises ValueError for a value outside [``lowest``, 1].
    """
    groups: dict[str, list[float]] = {}
    for cluster, value in observations:
        if value is None:
            continue
        groups.setdefault(cluster, []).append(checked(value, cluster, lowest))
    return groups


def checked(value: float, cluster: str, lowest: float = 0.0) -> float:
    """The value; ValueError where it lies outside [``lowest``, 1]."""
    if not lowest <= value <= 1.0:  # NaN fails this too
        raise ValueError(f"cluster {cluster!r} has the value {value!r}; it must lie in [{lowest:g}, 1]")
    return value


def mean(values: Sequence[float]) -> float:
    """The mean of at least one value, exactly rounded."""
    return math.fsum(values) / len(values)


def student(quantile: float, degrees: float) -> float:
    """A quantile of Student's t."""
    return float(untyped("scipy.stats").t.ppf(quantile, degrees))


def unseen(clusters: int) -> float:
    """The largest share of clusters of which none among so many would be seen in 2.5% of draws (Clopper-Pearson)."""
    return 1.0 - ((1.0 - LEVEL) / 2.0) ** (1.0 / clusters)


def untyped(module: str) -> Any:
    """A library without type stubs; imported when first needed, since these take a second."""
    return importlib.import_module(module)
