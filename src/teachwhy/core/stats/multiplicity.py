"""P values corrected for how many were looked at: Holm's and Benjamini and Hochberg's."""

from __future__ import annotations

from collections.abc import Mapping

from teachwhy.core.stats.observations import untyped


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p value corrected for all that stand here (Holm 1979), under the same names, in the same order.

    Below 0.05 means: the chance that *any* true null among them is called a finding is at most 5%, however they depend
    on one another. For what a conclusion rests on.
    """
    if not p_values:
        return {}
    # by hand: statsmodels' multipletests collects all garbage at every call, a third of a second with torch loaded
    corrected: dict[str, float] = {}
    worst = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p))
        corrected[name] = worst
    return {name: corrected[name] for name in p_values}


def benjamini_hochberg(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p value adjusted for the false discovery rate (Benjamini and Hochberg 1995), same names, same order.

    Calling all below 0.05 a finding, at most 5% of such findings are false on average, where the tests are independent
    or positively dependent. For screening many things, such as families of scenes; never for a conclusion.

    Raises ValueError for a p value outside [0, 1].
    """
    if not p_values:
        return {}
    adjusted = untyped("scipy.stats").false_discovery_control(list(p_values.values()), method="bh")
    return {name: float(p) for name, p in zip(p_values, adjusted, strict=True)}
