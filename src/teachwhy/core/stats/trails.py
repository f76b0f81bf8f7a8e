"""Starts followed along checkpoints, scene by scene: how ``curves`` lays out what was observed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from teachwhy.core.stats.observations import Observation, by_cluster, mean


class Point(NamedTuple):
    """One checkpoint of one seed, measured."""

    x: float
    """Steps; or KL or reward, for ``along``."""
    observations: Sequence[Observation]


Trail = Mapping[int, Sequence[Point]]
"""One start, followed: seed to its points."""


class Side(NamedTuple):
    """One start, scene by scene; NaN is void."""

    names: tuple[str, ...]
    pooled: np.ndarray
    """Mean over all judged samples of all seeds, shape (points, scenes)."""
    runs: tuple[np.ndarray, ...]
    """The same of each seed alone."""


def observations_of(trail: Trail) -> list[Observation]:
    """All that was observed along a start."""
    return [observation for run in trail.values() for point in run for observation in point.observations]


def shared_steps(runs: Sequence[Sequence[Point]]) -> tuple[float, ...]:
    """The steps that every run has, in order."""
    found: list[set[float]] = []
    for run in runs:
        steps = {point.x for point in run}
        if len(steps) < len(run):
            raise ValueError("a seed has two points at the same step; pool their observations into one")
        found.append(steps)
    return tuple(sorted(set[float].intersection(*found))) if found else ()


def arrange(trail: Trail, steps: Sequence[float], bound: float) -> Side:
    """The scene means of every run at the steps, over all scenes that it has."""
    lowest = 0.0 if bound == 1.0 else -1.0
    runs = [[next(point for point in run if point.x == step).observations for step in steps] for run in trail.values()]
    groups = [[by_cluster(observations, lowest) for observations in run] for run in runs]
    whole = [by_cluster(chain.from_iterable(run[place] for run in runs), lowest) for place in range(len(steps))]
    names = tuple(sorted(set[str]().union(*whole)))
    return Side(names, _grid(whole, names), tuple(_grid(run, names) for run in groups))


def interpolate(trail: Trail, x: float, bound: float) -> Side:
    """Every run at one place, by straight lines between its neighbouring points."""
    lowest = 0.0 if bound == 1.0 else -1.0
    names = tuple(sorted({one.cluster for one in observations_of(trail) if one.value is not None}))
    runs: list[np.ndarray] = []
    for run in trail.values():
        points = sorted(run, key=lambda point: point.x)
        upper = next(place for place, point in enumerate(points) if point.x >= x)
        right = points[upper]
        near = points[upper if right.x == x else upper - 1]
        part = 0.0 if right.x == near.x else (x - near.x) / (right.x - near.x)
        ends = _grid([by_cluster(point.observations, lowest) for point in (near, right)], names)
        runs.append((1.0 - part) * ends[:1] + part * ends[1:])
    return Side(names, _mean_known(np.array(runs)), tuple(runs))


def shared_scenes(sides: Sequence[Side]) -> tuple[list[Side], np.ndarray]:
    """Both sides on the scenes judged in both at both ends, and at which points each was judged in both."""
    names = sorted(set(sides[0].names) & set(sides[1].names))
    cut: list[Side] = []
    for side in sides:
        places = [side.names.index(name) for name in names]
        cut.append(Side(tuple(names), side.pooled[:, places], tuple(run[:, places] for run in side.runs)))
    seen = ~(np.isnan(cut[0].pooled) | np.isnan(cut[1].pooled))
    kept = seen[0] & seen[-1] if len(seen) else np.zeros(len(names), dtype=bool)
    chosen = tuple(name for name, here in zip(names, kept.tolist(), strict=True) if here)
    return [Side(chosen, one.pooled[:, kept], _judged([run[:, kept] for run in one.runs])) for one in cut], seen[
        :, kept
    ]


def _judged(runs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """The runs of which any scene was judged at both ends: no other says anything about its seed."""
    return tuple(run for run in runs if len(run) and not np.isnan(run[0] + run[-1]).all())


def _mean_known(values: np.ndarray) -> np.ndarray:
    """Over the first axis, of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), math.nan)


def _grid(groups: Sequence[Mapping[str, Sequence[float]]], names: Sequence[str]) -> np.ndarray:
    """Scene means, shape (points, scenes); NaN where a scene has none."""
    rows = [[mean(group[name]) if name in group else math.nan for name in names] for group in groups]
    return np.array(rows, dtype=float).reshape(len(groups), len(names))
