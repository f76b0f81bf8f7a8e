"""How far judges agree beyond chance: Krippendorff's alpha and Cohen's kappa, each with a cluster bootstrap interval.

Both are 1 - (disagreement seen / disagreement expected by chance). The interval resamples whole scenes on Fisher's z
scale with Student's t, which covers better there than percentile or BCa (82 to 93% from 10 or 20 scenes). Where fewer
than ``FEW`` scenes' worth of disagreement, or of anything but the commonest choice, were seen, no resampling works; the
interval then comes from the intervals (``rate``) of those two shares, and is wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import ALIKE, LEVEL, student, untyped
from teachwhy.core.stats.rates import SMALL, interval, kish

DRAWS = 1_999
FEW = 2.0
EDGE = 0.99
"""Fisher's z is taken of no value nearer to 1 or -1 than this."""

Choice = str | float | bool


class Rated(NamedTuple):
    """One item that several judges saw."""

    cluster: str
    """The scene's id."""
    opinions: Mapping[str, Choice | None]
    """Judge to its choice from the menu; None is void, and a judge may be absent. Choices have no order."""


class Agreement(Record):
    """Agreement beyond chance: 1 is perfect, 0 is chance, below 0 is worse than chance."""

    value: float | None
    """None where it is not defined: no item with two choices, or only one choice ever made."""
    low: float
    high: float
    items: int
    """Items with at least two choices."""
    clusters: int
    """Scenes with such an item."""
    void: int
    """Choices that are None."""


def krippendorffs_alpha(items: Sequence[Rated]) -> Agreement:
    """Krippendorff's alpha for any number of judges, unordered choices and missing values, with a 95% interval.

    Items with fewer than two choices do not count (Krippendorff 2011); the value is that of the ``krippendorff``
    package. Undefined, or fewer than two clusters: interval [-1, 1]. Never of zero width.

    Simulated coverage 93.5 to 98% with 20 scenes or more, up to 100% with 10 or where little disagreement was seen.
    """
    menu = _menu(items)
    used = [item for item in items if sum(choice is not None for choice in item.opinions.values()) > 1]
    counts = np.zeros((len(used), len(menu)))
    for index, item in enumerate(used):
        for choice in item.opinions.values():
            if choice is not None:
                counts[index, menu[choice]] += 1.0
    value = None
    if (counts.sum(axis=0) > 0).sum() > 1:
        value = float(untyped("krippendorff").alpha(value_counts=counts, level_of_measurement="nominal"))
    pairs = counts[:, :, None] * (counts[:, None, :] - np.eye(len(menu)))
    tables = _summed(pairs / (counts.sum(axis=1) - 1.0)[:, None, None], [item.cluster for item in used])
    void = sum(choice is None for item in items for choice in item.opinions.values())
    return _agreement(tables, _alpha, value, len(used), void)


def cohens_kappa(items: Sequence[Rated], first: str, second: str) -> Agreement:
    """Cohen's kappa between two named judges, unordered choices, over items where both chose, with a 95% interval.

    The value is that of statsmodels. Undefined, or fewer than two clusters: interval [-1, 1]. Never of zero width.
    Simulated coverage as of ``krippendorffs_alpha``.
    """
    pairs = [Rated(item.cluster, {name: item.opinions.get(name) for name in (first, second)}) for item in items]
    menu = _menu(pairs)
    both = [pair for pair in pairs if None not in pair.opinions.values()]
    cells = np.zeros((len(both), len(menu), len(menu)))
    for index, pair in enumerate(both):
        row, column = (menu[choice] for choice in pair.opinions.values() if choice is not None)
        cells[index, row, column] = 1.0
    tables = _summed(cells, [pair.cluster for pair in both])
    table, value = tables.sum(axis=0), None
    if both and ((table.sum(axis=0) + table.sum(axis=1)) > 0).sum() > 1:
        inter_rater = untyped("statsmodels.stats.inter_rater")
        value = float(inter_rater.cohens_kappa(table, return_results=False))
    void = sum(choice is None for pair in pairs for choice in pair.opinions.values())
    return _agreement(tables, _kappa, value, len(both), void)


Statistic = Callable[[np.ndarray], np.ndarray]


def _agreement(tables: np.ndarray, statistic: Statistic, value: float | None, items: int, void: int) -> Agreement:
    """The interval around a value, from each cluster's table of choices, shape (clusters, choices, choices)."""
    clusters = len(tables)
    low, high = -1.0, 1.0
    if value is not None and clusters > 1:
        low, high = _interval(tables, statistic, value)
        low, high = max(-1.0, min(low, value)), min(1.0, max(high, value))
    return Agreement(value=value, low=low, high=high, items=items, clusters=clusters, void=void)


def _menu(items: Sequence[Rated]) -> dict[Choice, int]:
    """Every choice made, with its place."""
    return {
        choice: place
        for place, choice in enumerate(
            dict.fromkeys(choice for item in items for choice in item.opinions.values() if choice is not None)
        )
    }


def _summed(tables: np.ndarray, clusters: Sequence[str]) -> np.ndarray:
    """Tables of items added up by cluster."""
    places = {name: place for place, name in enumerate(sorted(set(clusters)))}
    summed = np.zeros((len(places), *tables.shape[1:]))
    np.add.at(summed, [places[name] for name in clusters], tables)
    return summed


def _interval(tables: np.ndarray, statistic: Statistic, value: float) -> tuple[float, float]:
    clusters = len(tables)
    sizes = tables.sum(axis=(1, 2))
    apart = sizes - np.trace(tables, axis1=1, axis2=2)
    margins = (tables.sum(axis=1) + tables.sum(axis=2)) / 2.0
    rarer = sizes - margins[:, margins.sum(axis=0).argmax()]
    worth = kish(sizes) / sizes.sum()
    enough = min(worth * apart.sum(), worth * rarer.sum()) >= FEW
    if not enough:
        return _from_shares(sizes, apart, rarer, value)
    weights = np.random.default_rng(0).multinomial(clusters, np.full(clusters, 1.0 / clusters), size=DRAWS)
    drawn = statistic(np.einsum("dc,cij->dij", weights.astype(float), tables))
    spread = _fisher(drawn[np.isfinite(drawn)]).std(ddof=1) * math.sqrt(clusters / (clusters - 1))
    if spread < ALIKE:
        return _from_shares(sizes, apart, rarer, value)
    centre, reach = float(_fisher(np.array(value))), student((1.0 + LEVEL) / 2.0, clusters - 1) * float(spread)
    return math.tanh(centre - reach), math.tanh(centre + reach)


def _from_shares(sizes: np.ndarray, apart: np.ndarray, rarer: np.ndarray, value: float) -> tuple[float, float]:
    """The interval where next to nothing was seen: of the disagreement, against what chance would give.

    What chance gives moves with the share of rarer choices, so it takes that share's interval where that is as thin.
    """
    apart_low, apart_high = _share_interval(apart, sizes)
    chance = _chance(float(rarer.sum() / sizes.sum()))
    least = most = 1.0
    if kish(sizes) * rarer.sum() / sizes.sum() < 2 * FEW:
        rare_low, rare_high = _share_interval(rarer, sizes)
        least, most = _chance(rare_low) / chance, _chance(rare_high) / chance
    disagreement = float(apart.sum() / sizes.sum())
    expected = disagreement / (1.0 - value) if value < 1.0 else chance
    low = 1.0 - apart_high / (expected * least) if least > 0.0 else -1.0
    return low, 1.0 - apart_low / min(expected * most, 1.0)


def _chance(share: float) -> float:
    """Two choices' disagreement by chance, at the share of the rarer one."""
    return 2.0 * min(share, 0.5) * (1.0 - min(share, 0.5))


def _share_interval(part: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The interval of a share of the tables, each cluster one trial."""
    size = kish(sizes)
    return interval(min(float(part.sum() / sizes.sum()), 1.0) * size, size, small=len(sizes) < SMALL)


def _fisher(values: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(values, -EDGE, EDGE))


def _alpha(tables: np.ndarray) -> np.ndarray:
    """Alpha of coincidence tables of shape (..., choices, choices); NaN where undefined."""
    counts = tables.sum(axis=-1)
    total = counts.sum(axis=-1)
    seen = total - np.trace(tables, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1.0 - seen * (total - 1.0) / (total**2 - (counts**2).sum(axis=-1))


def _kappa(tables: np.ndarray) -> np.ndarray:
    """Kappa of tables of shape (..., choices, choices); NaN where undefined."""
    total = tables.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        same = np.trace(tables, axis1=-2, axis2=-1) / total
        chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / total**2
        return (same - chance) / (1.0 - chance)
