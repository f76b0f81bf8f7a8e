"""Seeds, dose-response, agreement, correction and planning: what they promise, and published values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachwhy.core.stats import (
    Agreement,
    Design,
    Gap,
    Graded,
    Observation,
    Rated,
    Run,
    Sampled,
    accuracy,
    benjamini_hochberg,
    bootstrap_difference,
    bootstrap_rate,
    cohens_kappa,
    corrected_rate,
    efficiency,
    equivalence_p,
    equivalent,
    fit_curve,
    krippendorffs_alpha,
    paired_difference,
    paired_power,
    rate,
    rate_width,
    scenes_for_power,
    scenes_for_width,
    simulated_power,
    smallest_effect,
    unpaired_difference,
)
from teachwhy.core.stats.observations import untyped

VALUES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
RECORDS = st.lists(
    st.builds(Sampled, st.integers(0, 2), st.sampled_from("abcdefghij"), st.just(0), st.one_of(st.none(), VALUES)),
    max_size=40,
)
CHOICES = st.dictionaries(st.sampled_from(["one", "two", "three"]), st.sampled_from(["yes", "no", "odd", None]))
ITEMS = st.lists(st.builds(Rated, st.sampled_from("abcdef"), CHOICES), max_size=30)
GOLD = st.lists(st.builds(Graded, st.sampled_from("abcdef"), st.booleans(), st.one_of(st.none(), VALUES)), max_size=25)
SEEN = st.lists(st.builds(Observation, st.sampled_from("abcdef"), st.one_of(st.none(), VALUES)), max_size=25)
QUICK = settings(deadline=None, max_examples=30)


def sampled(rates: Sequence[Sequence[float]], samples: int = 10) -> list[Sampled]:
    """Records of seeds x scenes with exactly these rates."""
    return [
        Sampled(seed, f"scene-{scene:03}", sample, float(sample < round(value * samples)))
        for seed, row in enumerate(rates)
        for scene, value in enumerate(row)
        for sample in range(samples)
    ]


def observed(rates: Sequence[float], samples: int = 10, prefix: str = "") -> list[Observation]:
    return [Observation(prefix + record.scene, record.value) for record in sampled([rates], samples)]


# Seeds and scenes.


@QUICK
@given(RECORDS)
def test_a_rate_over_seeds_holds_its_value_within_range_and_has_width(records: list[Sampled]) -> None:
    found = bootstrap_rate(records)
    assert 0.0 <= found.low < found.high <= 1.0
    assert found.value == rate([Observation(record.scene, record.value) for record in records]).value
    assert found.value is None or found.low <= found.value <= found.high
    assert found.judged + found.void == len(records)


@QUICK
@given(RECORDS, RECORDS)
def test_a_difference_over_seeds_turns_its_sign_with_its_sides(first: list[Sampled], second: list[Sampled]) -> None:
    one, other = bootstrap_difference(first, second), bootstrap_difference(second, first)
    assert -1.0 <= one.low < one.high <= 1.0
    assert one.value is None or one.low - 1e-9 <= one.value <= one.high + 1e-9
    assert (one.value is None) == (other.value is None)
    assert one.value is None or one.value == pytest.approx(-(other.value or 0.0))
    assert one.low == pytest.approx(-other.high, abs=0.02)  # the same draws, but quantiles of other tails
    assert one.high == pytest.approx(-other.low, abs=0.02)


@QUICK
@given(RECORDS, st.integers(1, 5))
def test_voids_move_no_estimate_over_seeds(records: list[Sampled], voids: int) -> None:
    before, after = bootstrap_rate(records), bootstrap_rate([*records, *[Sampled(9, "z", 0, None)] * voids])
    assert (after.value, after.low, after.high, after.judged) == (before.value, before.low, before.high, before.judged)
    assert after.void == before.void + voids


@QUICK
@given(RECORDS)
def test_the_order_of_records_moves_no_estimate(records: list[Sampled]) -> None:
    shuffled = sorted(records, key=lambda record: (record.scene, record.seed, str(record.value)))
    one, other = bootstrap_rate(records), bootstrap_rate(shuffled)
    assert one.value is None or one.value == pytest.approx(other.value)
    assert (one.low, one.high) == (pytest.approx(other.low, abs=0.03), pytest.approx(other.high, abs=0.03))


def test_one_seed_says_that_it_cannot_tell_about_another_training_run() -> None:
    found = bootstrap_rate(sampled([[0.2, 0.6, 0.4, 0.8] * 3]))
    assert (found.over, found.seeds) == ("scenes", (1,))
    assert "another training run" in found.says


def test_seeds_that_differ_widen_the_interval_and_two_more_than_three() -> None:
    scenes = [0.2, 0.4, 0.6, 0.4] * 4
    low, high = [value - 0.1 for value in scenes], [value + 0.1 for value in scenes]
    fixed = bootstrap_rate(sampled([low, high]), over="scenes")
    two, three = bootstrap_rate(sampled([low, high])), bootstrap_rate(sampled([low, scenes, high]))
    assert (two.over, fixed.over) == ("scenes and seeds", "scenes")
    assert two.high - two.low > three.high - three.low > 2 * (fixed.high - fixed.low)
    assert "training runs alone" in fixed.says


def test_seeds_all_alike_are_no_proof_that_seeds_do_not_matter() -> None:
    found = bootstrap_rate(sampled([[0.5] * 10] * 3))
    assert found.low < 0.5 < found.high
    assert "alike" in found.says


def test_an_arm_with_one_seed_borrows_the_spread_of_the_other() -> None:
    scenes = [0.2, 0.4, 0.6, 0.4] * 4
    arm = sampled([[value - 0.1 for value in scenes], [value + 0.1 for value in scenes]])
    found = bootstrap_difference(arm, sampled([scenes]))
    single = bootstrap_difference(sampled([scenes]), sampled([scenes[::-1]]))
    assert (found.over, found.seeds) == ("scenes and seeds", (2, 1))
    assert "single seed" in found.says
    assert (single.over, "One seed" in single.says) == ("scenes", True)


def test_nothing_judged_over_seeds_leaves_everything_possible() -> None:
    found = bootstrap_rate([Sampled(0, "a", 0, None)])
    assert (found.value, found.low, found.high, found.says) == (None, 0.0, 1.0, "Nothing was judged.")
    nothing = bootstrap_difference([Sampled(0, "a", 0, None)], [Sampled(0, "a", 0, 1.0)])
    assert (nothing.value, nothing.low, nothing.high) == (None, -1.0, 1.0)


def test_a_record_out_of_range_is_refused_by_the_name_of_its_scene() -> None:
    with pytest.raises(ValueError, match="'bridge'"):
        bootstrap_rate([Sampled(0, "bridge", 0, 1.5)])


# Two groups of scenes, equivalence, false discoveries.


@QUICK
@given(st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=5))
def test_unpaired_groups_turn_their_sign_with_their_sides(one: list[float], two: list[float]) -> None:
    first = [Observation(f"a{place}", value) for place, value in enumerate(one)]
    second = [Observation(f"b{place}", value) for place, value in enumerate(two)]
    found, turned = unpaired_difference(first, second), unpaired_difference(second, first)
    assert -1.0 <= found.low < found.high <= 1.0
    assert 0.0 < found.p <= 1.0
    assert found.low == pytest.approx(-turned.high, abs=1e-9)
    assert found.value is None or found.low <= found.value <= found.high
    assert found.p == pytest.approx(turned.p)


def test_unpaired_groups_of_single_trials_give_newcombes_interval() -> None:
    # Newcombe (1998), table II, method 10: 56/70 minus 48/80 is 0.2, interval 0.0524 to 0.3339.
    first = [Observation(f"a{place}", float(place < 56)) for place in range(70)]
    second = [Observation(f"b{place}", float(place < 48)) for place in range(80)]
    found = unpaired_difference(first, second)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert found.p == pytest.approx(0.008, abs=0.006)


def test_many_unpaired_groups_come_close_to_welchs_interval() -> None:
    rng = np.random.default_rng(2)
    one, two = rng.beta(2, 2, 60), rng.beta(1, 3, 90)
    sides = [[Observation(f"{name}{n}", v) for n, v in enumerate(side)] for name, side in (("a", one), ("b", two))]
    found, welch = unpaired_difference(sides[0], sides[1]), untyped("scipy.stats").ttest_ind(one, two, equal_var=False)
    low, high = welch.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.015), pytest.approx(high, abs=0.015))
    assert found.p == pytest.approx(welch.pvalue, abs=0.01)
    assert found.degrees == pytest.approx(welch.df)


def test_unpaired_gaps_may_reach_two() -> None:
    worst = [Gap(f"a{place}", 1.0) for place in range(4)]
    best = [Gap(f"b{place}", -1.0) for place in range(4)]
    found = unpaired_difference(worst, best)
    assert (found.value, found.high) == (2.0, 2.0)
    assert found.low < 1.5
    assert unpaired_difference(worst, best[:1]).low == -2.0


def test_a_scene_in_both_groups_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'a'.*paired_difference"):
        unpaired_difference([Observation("a", 1.0)], [Observation("a", 0.0)])


@QUICK
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12), st.floats(0.01, 0.9))
def test_equivalence_is_where_its_p_is_below_five_percent(pairs: list[tuple[float, float]], margin: float) -> None:
    sides = [[Observation(str(place), pair[side]) for place, pair in enumerate(pairs)] for side in (0, 1)]
    found = paired_difference(sides[0], sides[1])
    p = equivalence_p(found, margin)
    assert 0.0 <= p <= 1.0
    if abs(p - 0.05) > 1e-9 and found.low > -1.0 and found.high < 1.0:
        assert equivalent(found, margin) == (p < 0.05)
    assert equivalence_p(found, margin * 1.1) <= p + 1e-12


def test_benjamini_hochberg_matches_the_worked_example() -> None:
    # Benjamini and Hochberg (1995), section 3.2: of these 15 the first four are found at a rate of 5%, Holm's three.
    known = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    known += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    adjusted = benjamini_hochberg({str(place): p for place, p in enumerate(known)})
    assert [name for name, p in adjusted.items() if p <= 0.05] == ["0", "1", "2", "3"]
    assert benjamini_hochberg({}) == {}


# Dose and response.


def runs(
    rates: Sequence[float], scenes: int = 20, seeds: int = 1, budgets: Sequence[float] = (1e5, 3e5, 1e6)
) -> list[Run]:
    """Budgets at which the scenes' rates scatter about these."""
    scatter = np.random.default_rng(0).uniform(0.5, 1.5, scenes)
    return [
        Run(tokens, observed(np.clip(value * scatter, 0, 1).tolist(), 40))
        for tokens, value in zip(budgets, rates, strict=True)
        for _ in range(seeds)
    ]


def test_a_curve_goes_through_rates_that_lie_on_one() -> None:
    curve = fit_curve(runs([0.4, 0.3, 0.2]), over="scenes")
    assert curve.slope_low < curve.slope < curve.slope_high < 0
    assert curve.at(1e5) == pytest.approx(0.4, abs=0.03)
    assert curve.at(1e6) == pytest.approx(0.2, abs=0.03)
    assert curve.misfit < 0.03
    assert (curve.runs, curve.scenes, curve.over) == (3, 20, "scenes")


def test_a_curve_is_finite_where_a_budget_saw_nothing() -> None:
    curve = fit_curve(runs([0.3, 0.0, 0.0]))
    assert -20 < curve.slope < 0
    assert 0 < curve.at(1e6) < 0.02


def test_the_same_arm_twice_is_as_efficient_as_itself() -> None:
    found = efficiency(runs([0.4, 0.3, 0.2]), runs([0.4, 0.3, 0.2]), over="scenes")
    assert found.ratio == pytest.approx(1.0)
    assert found.shape == "interval"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1.0 < found.high


def test_an_arm_that_does_the_same_with_a_third_of_the_tokens_is_three_times_as_efficient() -> None:
    second = runs([0.4, 0.3, 0.2], budgets=(3e5, 9e5, 3e6))
    found = efficiency(runs([0.4, 0.3, 0.2]), second, over="scenes")
    assert found.ratio == pytest.approx(3.0)
    back = efficiency(second, runs([0.4, 0.3, 0.2]), over="scenes")
    assert back.ratio == pytest.approx(1 / 3)
    assert "3" in found.says


@QUICK
@given(st.floats(0.5, 1e4))
def test_the_unit_of_tokens_does_not_matter(unit: float) -> None:
    one, two = runs([0.5, 0.3, 0.2]), runs([0.5, 0.4, 0.3])
    scaled = [[run._replace(tokens=run.tokens * unit) for run in arm] for arm in (one, two)]
    plain, other = efficiency(one, two), efficiency(scaled[0], scaled[1])
    assert (plain.ratio, plain.low, plain.high) == pytest.approx((other.ratio, other.low, other.high), rel=1e-4)


def test_a_flat_arm_gets_words_and_no_number() -> None:
    rng = np.random.default_rng(5)
    flat = [Run(tokens, [Observation(str(n), float(rng.random() < 0.4)) for n in range(30)]) for tokens in (1e5, 1e6)]
    found = efficiency(flat, runs([0.4, 0.3, 0.1]))
    assert found.ratio is None
    assert found.shape in {"everything", "two pieces"}
    assert "cannot be told" in found.says


def test_arms_that_move_in_opposite_directions_have_no_ratio() -> None:
    found = efficiency(runs([0.2, 0.3, 0.4]), runs([0.4, 0.3, 0.2]), over="scenes")
    assert (found.ratio, found.low, found.high, found.shape) == (None, None, None, "empty")
    assert "opposite" in found.says


def test_beyond_the_budgets_measured_is_said() -> None:
    found = efficiency(runs([0.5, 0.45, 0.4]), runs([0.5, 0.3, 0.1]), over="scenes")
    assert (found.shape, found.measured) == ("interval", False)
    assert "beyond the budgets" in found.says


def test_training_runs_that_scatter_widen_the_slope() -> None:
    scattered = [*runs([0.4, 0.3, 0.2]), *runs([0.3, 0.35, 0.1])]
    wide, narrow = fit_curve(scattered), fit_curve(scattered, over="scenes")
    assert (wide.over, narrow.over) == ("scenes and trainings", "scenes")
    assert wide.slope_high - wide.slope_low > narrow.slope_high - narrow.slope_low
    assert fit_curve(runs([0.4, 0.2], budgets=(1e5, 1e6))).over == "scenes"


@pytest.mark.parametrize(
    ("given_runs", "says"),
    [
        ([Run(0, observed([0.5, 0.5])), Run(5, observed([0.5, 0.5]))], "above 0"),
        ([Run(5, observed([0.5, 0.5]))] * 2, "two budgets"),
        ([Run(5, observed([0.5])), Run(6, observed([0.5]))], "two scenes"),
        ([Run(5, [Observation("a", None)]), Run(6, observed([0.5, 0.1]))], "nothing was judged"),
    ],
)
def test_a_curve_refuses_what_it_cannot_be_fitted_to(given_runs: list[Run], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fit_curve(given_runs)


# Agreement.


def as_items(choices: Sequence[Sequence[object]], scenes: int = 6) -> list[Rated]:
    """Judges x items, as published tables have them."""
    return [
        Rated(str(place % scenes), {f"judge {judge}": None if row[place] is None else str(row[place])
              for judge, row in enumerate(choices)})
        for place in range(len(choices[0]))
    ]  # fmt: skip


def test_alpha_matches_krippendorffs_own_example() -> None:
    # Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: nominal alpha 0.743.
    _ = None
    found = krippendorffs_alpha(
        as_items(
            [
                [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
                [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
                [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
                [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
            ]
        )
    )
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert (found.items, found.void) == (11, 7)


def test_kappa_matches_a_known_table() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: kappa 0.4
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    items = [Rated(str(place % 10), {"a": one, "b": two}) for place, (one, two) in enumerate(pairs)]
    found = cohens_kappa([*items, Rated("x", {"a": "yes", "b": None})], "a", "b")
    assert found.value == pytest.approx(0.4)
    assert (found.items, found.clusters, found.void) == (50, 10, 1)
    assert found.low < 0.4 < found.high


@QUICK
@given(ITEMS)
def test_agreement_lies_in_its_interval_and_has_width(items: list[Rated]) -> None:
    for found in (krippendorffs_alpha(items), cohens_kappa(items, "one", "two")):
        assert -1.0 <= found.low < found.high <= 1.0
        assert found.value is None or found.low - 1e-9 <= found.value <= found.high + 1e-9


@QUICK
@given(ITEMS)
def test_names_of_choices_and_judges_do_not_matter(items: list[Rated]) -> None:
    other = {"yes": 3.5, "no": 1.0, "odd": 0.0, None: None}
    renamed = [
        Rated(item.cluster, {f"{k}!": other[str(v) if v else None] for k, v in item.opinions.items()}) for item in items
    ]
    one, two = krippendorffs_alpha(items), krippendorffs_alpha(renamed)
    assert one.value == pytest.approx(two.value)
    assert (one.low, one.high) == (pytest.approx(two.low), pytest.approx(two.high))
    mine, yours = cohens_kappa(items, "one", "two"), cohens_kappa(items, "two", "one")
    assert mine.value == pytest.approx(yours.value)


def test_perfect_agreement_over_few_scenes_is_not_certainty() -> None:
    items = [Rated(str(place), {"a": str(place % 2), "b": str(place % 2)}) for place in range(8)]
    few, many = (cohens_kappa(some, "a", "b") for some in (items, as_items([[n % 2 for n in range(80)]] * 2, 80)))
    assert isinstance(many, Agreement)
    assert few.value == 1.0
    assert few.low < 0.6
    assert krippendorffs_alpha(items).low < 0.6


def test_agreement_on_a_single_choice_is_undefined() -> None:
    items = [Rated(str(place), {"a": "no", "b": "no"}) for place in range(8)]
    for found in (krippendorffs_alpha(items), cohens_kappa(items, "a", "b"), krippendorffs_alpha([])):
        assert (found.value, found.low, found.high) == (None, -1.0, 1.0)


# A judge against gold.


def graded(right_yes: int, right_no: int, of: int) -> list[Graded]:
    yes = [Graded(f"y{n}", True, float(n < right_yes)) for n in range(of)]
    return [*yes, *[Graded(f"n{n}", False, float(n >= right_no)) for n in range(of)]]


def test_sensitivity_and_specificity_count_voids_beside() -> None:
    found = accuracy([*graded(45, 40, 50), Graded("v", True, None)])
    assert (found.sensitivity.value, found.sensitivity.void) == (pytest.approx(0.9), 1)
    assert found.specificity.value == pytest.approx(0.8)
    assert found.youden == pytest.approx(0.7)
    assert found.usable
    assert 0.5 < found.youden_low < 0.7


def test_a_corrected_rate_matches_rogan_gladen_and_lang_reiczigel() -> None:
    seen = [Observation(str(n), float(n < 120)) for n in range(200)]
    found = corrected_rate(seen, graded(90, 80, 100))
    # (0.6 + 0.8 - 1) / 0.7; the interval by the authors' own script, with its +2 and +z^2 adjustments
    assert found.value == pytest.approx(0.4 / 0.7)
    assert (found.low, found.high) == (pytest.approx(0.4499, abs=1e-4), pytest.approx(0.6910, abs=1e-4))


def test_a_judge_that_guesses_corrects_nothing() -> None:
    found = corrected_rate([Observation(str(n), float(n < 60)) for n in range(200)], graded(27, 26, 50))
    assert (found.value, found.low, found.high, found.accuracy.usable) == (None, 0.0, 1.0, False)
    assert corrected_rate([], graded(50, 50, 50)).value is None


@QUICK
@given(SEEN, GOLD)
def test_a_corrected_rate_stays_within_bounds(seen: list[Observation], gold: list[Graded]) -> None:
    for judged in (gold, graded(45, 40, 50)):
        found = corrected_rate(seen, judged)
        assert 0.0 <= found.low < found.high <= 1.0
        assert found.value is None or found.low <= found.value <= found.high


def test_a_larger_gold_set_narrows_the_correction() -> None:
    seen = [Observation(str(n), float(n < 60)) for n in range(200)]
    small, large = corrected_rate(seen, graded(18, 16, 20)), corrected_rate(seen, graded(900, 800, 1000))
    assert large.high - large.low < small.high - small.low


# Planning.


def test_more_scenes_samples_and_effect_detect_more() -> None:
    plan = Design(scenes=20, samples=5)
    assert paired_power(0.5, 0.3, plan) < paired_power(0.5, 0.3, plan.model_copy(update={"scenes": 40}))
    assert paired_power(0.5, 0.3, plan) < paired_power(0.5, 0.3, plan.model_copy(update={"samples": 10}))
    assert paired_power(0.5, 0.3, plan) < paired_power(0.5, 0.2, plan)
    assert paired_power(0.5, 0.3, plan) > paired_power(0.5, 0.3, plan.model_copy(update={"void": 0.5}))
    assert paired_power(0.3, 0.3, plan) == pytest.approx(0.05)


def test_power_of_a_textbook_paired_t_test() -> None:
    # scenes that are all or nothing, unpaired: variance 0.25 + 0.16, so dz is 0.4685; 38 pairs give 0.80 (G*Power)
    plan = Design(scenes=38, samples=2, icc=1.0, pairing=0.0)
    assert paired_power(0.5, 0.2, plan) == pytest.approx(0.80, abs=0.01)


def test_five_scenes_detect_nothing() -> None:
    assert paired_power(1.0, 0.0, Design(scenes=5)) == 0.0
    assert paired_power(1.0, 0.0, Design(scenes=6)) > 0.9


def test_a_spread_over_seeds_costs_power() -> None:
    plan = Design(scenes=40, samples=5, seeds=3)
    assert paired_power(0.5, 0.3, plan.model_copy(update={"seed_spread": 0.05})) < paired_power(0.5, 0.3, plan)


def test_the_number_of_scenes_and_the_smallest_effect_undo_the_power() -> None:
    plan = Design(scenes=20, samples=5)
    scenes = scenes_for_power(0.5, 0.3, plan)
    assert scenes is not None
    assert paired_power(0.5, 0.3, plan.model_copy(update={"scenes": scenes})) >= 0.8
    assert paired_power(0.5, 0.3, plan.model_copy(update={"scenes": scenes - 1})) < 0.8
    effect = smallest_effect(0.5, plan)
    assert effect is not None
    assert paired_power(0.5, 0.5 - effect, plan) == pytest.approx(0.8, abs=0.005)
    assert smallest_effect(0.1, Design(scenes=6)) is None
    assert scenes_for_power(0.3, 0.3, plan) is None


def test_scenes_for_a_width_reach_it() -> None:
    plan = Design(scenes=1, samples=5, void=0.1)
    scenes = scenes_for_width(0.3, 0.3, plan, rounds=40)
    assert scenes is not None
    assert 10 < scenes < 60
    assert rate_width(0.3, plan.model_copy(update={"scenes": scenes}), rounds=40) <= 0.3


def test_simulated_power_agrees_with_the_formula_where_harm_is_common() -> None:
    plan = Design(scenes=14, samples=5)
    assert simulated_power(0.6, 0.3, plan, rounds=60) == pytest.approx(paired_power(0.6, 0.3, plan), abs=0.15)


@pytest.mark.parametrize("plan", [Design(scenes=0), Design(scenes=5, void=1.0), Design(scenes=5, icc=2.0)])
def test_a_design_that_measures_nothing_is_refused(plan: Design) -> None:
    with pytest.raises(ValueError, match="nothing can be measured"):
        paired_power(0.5, 0.2, plan)
    with pytest.raises(ValueError, match=r"1\.2"):
        rate_width(1.2, Design(scenes=5))
    assert math.isfinite(rate_width(0.0, Design(scenes=5), rounds=3))
