"""Rates, differences and their intervals, agreement, dose-response and planning; the scene is always the cluster.

All intervals are 95% and two-sided, and never of zero width. Unless a docstring says otherwise they speak about *other
scenes like these*: what repeats within a scene (samples, seeds, judges) sharpens that scene and never stands in for
another one. Void is counted beside a value, never in it. ``benchmarks/calibration.py`` simulates experiments whose
truth is known and prints how often each interval here holds it.
"""

from teachwhy.core.stats.accuracy import Accuracy, Corrected, Graded, accuracy, corrected_rate
from teachwhy.core.stats.agreement import Agreement, Rated, cohens_kappa, krippendorffs_alpha
from teachwhy.core.stats.bootstrap import Estimate, Sampled, bootstrap_difference, bootstrap_rate
from teachwhy.core.stats.curves import At, Comparison, Reading, along, compare
from teachwhy.core.stats.dose import Curve, Efficiency, Run, efficiency, fit_curve
from teachwhy.core.stats.equivalence import equivalence_p, equivalent
from teachwhy.core.stats.multiplicity import benjamini_hochberg, holm
from teachwhy.core.stats.observations import ALIKE, LEVEL, Gap, Observation
from teachwhy.core.stats.paired import (
    Difference,
    delta_interval,
    gap,
    paired_deltas,
    paired_difference,
    unpaired_difference,
)
from teachwhy.core.stats.power import (
    Design,
    paired_power,
    rate_width,
    scenes_for_power,
    scenes_for_width,
    simulated_power,
    smallest_effect,
)
from teachwhy.core.stats.rates import SMALL, Rate, rate, rule_of_three
from teachwhy.core.stats.seeds import Spread, across_seeds, difference_across_seeds
from teachwhy.core.stats.trails import Point, Trail

__all__ = [
    "ALIKE",
    "LEVEL",
    "SMALL",
    "Accuracy",
    "Agreement",
    "At",
    "Comparison",
    "Corrected",
    "Curve",
    "Design",
    "Difference",
    "Efficiency",
    "Estimate",
    "Gap",
    "Graded",
    "Observation",
    "Point",
    "Rate",
    "Rated",
    "Reading",
    "Run",
    "Sampled",
    "Spread",
    "Trail",
    "accuracy",
    "across_seeds",
    "along",
    "benjamini_hochberg",
    "bootstrap_difference",
    "bootstrap_rate",
    "cohens_kappa",
    "compare",
    "corrected_rate",
    "delta_interval",
    "difference_across_seeds",
    "efficiency",
    "equivalence_p",
    "equivalent",
    "fit_curve",
    "gap",
    "holm",
    "krippendorffs_alpha",
    "paired_deltas",
    "paired_difference",
    "paired_power",
    "rate",
    "rate_width",
    "rule_of_three",
    "scenes_for_power",
    "scenes_for_width",
    "simulated_power",
    "smallest_effect",
    "unpaired_difference",
]
