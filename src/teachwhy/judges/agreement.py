"""How far judges agree who read the same transcripts, dimension by dimension; voids are counted beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from teachwhy.core.records import Record, Verdict
from teachwhy.core.stats import Agreement, Rated, cohens_kappa, krippendorffs_alpha


class Agreed(Record):
    """Of all judges of a run on one dimension."""

    dimension: str
    judges: tuple[str, ...]
    alpha: Agreement
    """Krippendorff's, over all that was judged."""
    kappas: dict[str, Agreement]
    """Cohen's, for each two judges, as ``first, second``, over what both have judged."""
    asked: dict[str, int]
    """Judge to the number of transcripts that were put to it."""
    voids: dict[str, int]
    """Judge to how many of those it did not judge."""


def agreement(verdicts: Iterable[Verdict]) -> list[Agreed]:
    """The agreement on each dimension on which several judges have opinions, in the order of their names."""
    rated: dict[str, list[Rated]] = {}
    for verdict in verdicts:
        if verdict.opinions:
            rated.setdefault(verdict.dimension, []).append(Rated(verdict.scenario, verdict.opinions))
    found = [_on(dimension, items) for dimension, items in sorted(rated.items())]
    return [one for one in found if len(one.judges) > 1]


def _on(dimension: str, items: Sequence[Rated]) -> Agreed:
    judges = sorted({judge for item in items for judge in item.opinions})
    asked = {judge: [item.opinions[judge] for item in items if judge in item.opinions] for judge in judges}
    return Agreed(
        dimension=dimension,
        judges=tuple(judges),
        alpha=krippendorffs_alpha(items),
        kappas={f"{first}, {other}": cohens_kappa(items, first, other) for first, other in combinations(judges, 2)},
        asked={judge: len(given) for judge, given in asked.items()},
        voids={judge: given.count(None) for judge, given in asked.items()},
    )
