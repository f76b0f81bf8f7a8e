"""Rates and differences over several seeds, pooled within scenes, with the spread of the single seeds beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from teachwhy.core.records import Record
from teachwhy.core.stats.observations import Observation
from teachwhy.core.stats.paired import Difference, paired_difference
from teachwhy.core.stats.rates import Rate, rate


class Spread(Record):
    """How far apart single seeds lie."""

    seeds: int
    """Seeds with anything judged."""
    lowest: float | None
    """None, as is ``highest``, while fewer than two seeds were judged: the spread is unknown, not zero."""
    highest: float | None


def across_seeds(runs: Mapping[int, Sequence[Observation]]) -> tuple[Rate, Spread]:
    """The rate over all seeds, and the spread of the single seeds' rates.

    Scenes stay the cluster: a scene seen under three seeds is one scene, so the interval says what other scenes would
    give, and the spread (not the interval) says what another seed might. ``bootstrap_rate`` puts both into one.
    """
    pooled = rate(chain.from_iterable(runs.values()))
    return pooled, _spread(rate(observations).value for observations in runs.values())


def difference_across_seeds(
    first: Mapping[int, Sequence[Observation]], second: Mapping[int, Sequence[Observation]], seed: int = 0
) -> tuple[Difference, Spread]:
    """``paired_difference`` with the seeds pooled within clusters, and the spread of the seeds that both sides have."""
    pooled = paired_difference(
        list(chain.from_iterable(first.values())), list(chain.from_iterable(second.values())), seed
    )
    shared = sorted(first.keys() & second.keys())
    return pooled, _spread(paired_difference(first[run], second[run], seed).value for run in shared)


def _spread(values: Iterable[float | None]) -> Spread:
    judged = [value for value in values if value is not None]
    if len(judged) <= 1:
        return Spread(seeds=len(judged), lowest=None, highest=None)
    return Spread(seeds=len(judged), lowest=min(judged), highest=max(judged))
