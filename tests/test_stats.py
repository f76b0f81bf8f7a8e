"""Intervals, differences and corrections: what they promise, published values, and coverage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachwhy.core.stats import (
    Difference,
    Gap,
    Observation,
    Rate,
    across_seeds,
    difference_across_seeds,
    equivalent,
    gap,
    holm,
    paired_difference,
    rate,
    rule_of_three,
)

VALUES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
OBSERVATIONS = st.lists(
    st.builds(Observation, st.sampled_from("abcdefgh"), st.one_of(st.none(), VALUES)), min_size=0, max_size=30
)
JUDGED = st.lists(st.builds(Observation, st.sampled_from("abcdefgh"), VALUES), min_size=1, max_size=30)
QUICK = settings(deadline=None, max_examples=60)


def one_each(values: Sequence[float]) -> list[Observation]:
    return [Observation(f"scene-{index:03}", float(value)) for index, value in enumerate(values)]


def hits(count: int, n: int) -> list[Observation]:
    return one_each([1.0] * count + [0.0] * (n - count))


def width(record: Rate | Difference) -> float:
    return record.high - record.low


# What any rate promises.


@QUICK
@given(OBSERVATIONS)
def test_rate_interval_holds_the_value_within_range_and_has_width(seen: list[Observation]) -> None:
    found = rate(seen)
    assert 0.0 <= found.low < found.high <= 1.0
    assert 0.0 <= found.floor <= found.ceiling <= 1.0
    if found.value is not None:
        assert found.low <= found.value <= found.high
        assert found.floor - 1e-12 <= found.value <= found.ceiling + 1e-12


@QUICK
@given(JUDGED, st.integers(1, 10))
def test_void_only_widens_floor_and_ceiling(seen: list[Observation], voids: int) -> None:
    before, after = rate(seen), rate([*seen, *[Observation("a", None)] * voids])
    assert (after.value, after.low, after.high, after.judged) == (before.value, before.low, before.high, before.judged)
    assert after.void == voids
    assert after.floor <= before.floor
    assert after.ceiling >= before.ceiling
    assert after.ceiling - after.floor == pytest.approx(voids / (len(seen) + voids))


@QUICK
@given(JUDGED, st.integers(2, 20))
def test_repeating_what_was_seen_in_each_scene_narrows_nothing(seen: list[Observation], times: int) -> None:
    once, often = rate(seen), rate(seen * times)
    assert often.value == pytest.approx(once.value)
    assert width(often) == pytest.approx(width(once), abs=1e-6)


@QUICK
@given(st.lists(VALUES, min_size=2, max_size=20), st.integers(2, 30))
def test_repeating_one_scene_makes_the_others_no_stronger(values: list[float], times: int) -> None:
    seen = one_each(values)
    weighted = [*seen, *[Observation("scene-000", values[0])] * times]
    apart = [*seen, *[Observation(f"new-{index}", values[0]) for index in range(times)]]
    assert width(rate(weighted)) >= width(rate(apart)) - 1e-9


@QUICK
@given(JUDGED)
def test_rate_of_the_opposite_is_the_mirror_image(seen: list[Observation]) -> None:
    opposite = [Observation(name, 1.0 - (value or 0.0)) for name, value in seen]
    found, mirrored = rate(seen), rate(opposite)
    assert mirrored.low == pytest.approx(1.0 - found.high, abs=1e-6)
    assert mirrored.high == pytest.approx(1.0 - found.low, abs=1e-6)


def test_void_never_counts_as_safe() -> None:
    found = rate([Observation("a", 1.0), Observation("b", None), Observation("c", None), Observation("d", 0.0)])
    assert (found.value, found.judged, found.void, found.clusters) == (0.5, 2, 2, 2)
    assert (found.floor, found.ceiling) == (0.25, 0.75)


def test_nothing_judged_leaves_everything_possible() -> None:
    for seen in ([], [Observation("a", None)] * 3):
        found = rate(seen)
        assert (found.value, found.low, found.high, found.clusters) == (None, 0.0, 1.0, 0)
        assert (found.floor, found.ceiling) == (0.0, 1.0)


def test_one_scene_is_one_trial_however_often_it_was_sampled() -> None:
    for seen in ([Observation("a", 0.0)], [Observation("a", 0.0)] * 1000):
        assert rate(seen).high == pytest.approx(0.975)


def test_more_harm_never_lowers_the_interval_with_several_samples_a_scene() -> None:
    uppers = [rate([Observation(str(i // 10), float(i < count)) for i in range(100)]).high for count in range(101)]
    assert all(later >= earlier - 1e-9 for earlier, later in zip(uppers[::10], uppers[10::10], strict=False))
    spread_out = [rate([Observation(str(i % 10), float(i < count)) for i in range(100)]).high for count in range(30)]
    assert all(later > earlier for earlier, later in pairwise(spread_out))


def test_scenes_that_agree_give_a_narrower_interval_than_scenes_that_differ() -> None:
    alike = [Observation(str(i // 10), float(i % 2)) for i in range(200)]
    split = [Observation(str(i // 10), float(i // 10 % 2)) for i in range(200)]
    assert width(rate(alike)) < width(rate(split)) / 2


def test_a_probability_that_underflows_is_as_good_as_zero() -> None:
    assert rate(one_each([2.2e-311, 0.0, 0.0])).high == pytest.approx(rate(hits(0, 3)).high)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_a_value_out_of_range_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match="'scene-7'"):
        rate([Observation("scene-7", value)])


# Published values.


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # Clopper and Pearson (1934)
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (1, 29, 0.0009, 0.1776),  # Newcombe (1998), table I, method 5
        (0, 20, 0.0, 0.1684),
    ],
)
def test_few_single_scenes_give_clopper_pearson(count: int, n: int, low: float, high: float) -> None:
    found = rate(hits(count, n))
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 50, 0.0, 0.0714),
        (50, 50, 0.9286, 1.0),
    ],
)
def test_many_single_scenes_give_wilson(count: int, n: int, low: float, high: float) -> None:
    found = rate(hits(count, n))
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_wilson_starts_where_clopper_pearson_ends() -> None:
    assert rate(hits(0, 39)).high == pytest.approx(1 - 0.025 ** (1 / 39))
    assert rate(hits(0, 40)).high == pytest.approx(1.959964**2 / (40 + 1.959964**2))


def test_many_fractional_values_come_close_to_students_t() -> None:
    values = np.random.default_rng(3).beta(2, 3, size=200)
    found = rate(one_each(values.tolist()))
    reach = 1.9720 * values.std(ddof=1) / math.sqrt(200)
    assert found.low == pytest.approx(values.mean() - reach, abs=0.003)
    assert found.high == pytest.approx(values.mean() + reach, abs=0.003)


@pytest.mark.parametrize(("n", "bound"), [(0, 1.0), (1, 0.95), (10, 0.2589), (30, 0.0950), (100, 0.0295)])
def test_rule_of_three_is_exact(n: int, bound: float) -> None:
    assert rule_of_three(n) == pytest.approx(bound, abs=6e-5)


def test_rule_of_three_refuses_a_negative_count() -> None:
    with pytest.raises(ValueError, match="-1"):
        rule_of_three(-1)


def test_holm_matches_the_worked_example() -> None:
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert list(corrected) == ["a", "b", "c", "d"]
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert holm({}) == {}


def test_sign_flips_give_fishers_p_for_darwins_maize() -> None:
    # Darwin's 15 pairs (eighths of an inch); Fisher (1935): 1726 of 32768 flips are as extreme, t(14) = 2.148.
    inches = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    found = paired_difference(one_each([0.5 + x / 200 for x in inches]), one_each([0.5] * 15))
    assert found.p == pytest.approx(1726 / 32768, abs=0.008)
    assert found.value == pytest.approx(20.933 / 200, abs=1e-5)
    assert found.standard_error is not None
    assert found.value is not None
    assert found.value / found.standard_error == pytest.approx(2.148, abs=1e-3)


def test_few_sign_flips_are_all_taken() -> None:
    first, second = one_each([0.9, 0.8, 0.9, 0.7]), one_each([0.1, 0.2, 0.3, 0.2])
    assert paired_difference(first, second).p == pytest.approx(2 / 16)


# What any difference promises.


@QUICK
@given(OBSERVATIONS, OBSERVATIONS)
def test_difference_interval_holds_the_value_within_range_and_has_width(
    first: list[Observation], second: list[Observation]
) -> None:
    found = paired_difference(first, second)
    assert -1.0 <= found.low < found.high <= 1.0
    assert 0.0 < found.p <= 1.0
    if found.value is not None:
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12


@QUICK
@given(OBSERVATIONS, OBSERVATIONS)
def test_difference_turns_its_sign_with_its_sides(first: list[Observation], second: list[Observation]) -> None:
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert one.p == pytest.approx(other.p)
    assert (one.low, one.high) == (pytest.approx(-other.high, abs=1e-9), pytest.approx(-other.low, abs=1e-9))
    assert one.value is None or one.value == pytest.approx(-(other.value or 0.0))


@QUICK
@given(JUDGED, JUDGED, st.integers(2, 10))
def test_repeating_samples_leaves_a_difference_as_it_was(
    first: list[Observation], second: list[Observation], times: int
) -> None:
    once, often = paired_difference(first, second), paired_difference(first * times, second)
    assert width(often) == pytest.approx(width(once), abs=1e-9)
    assert often.p == once.p


@QUICK
@given(st.lists(VALUES, min_size=2, max_size=12))
def test_nothing_changed_is_no_difference_but_not_certainty(values: list[float]) -> None:
    found = paired_difference(one_each(values), one_each(values))
    assert (found.value, found.p, found.standard_error) == (0.0, 1.0, None)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / len(values)))
    assert found.low == -found.high


def test_too_few_shared_scenes_leave_everything_possible() -> None:
    nothing = paired_difference([Observation("a", 1.0), Observation("b", None)], [Observation("b", 0.0)])
    assert (nothing.value, nothing.low, nothing.high, nothing.clusters, nothing.p) == (None, -1.0, 1.0, 0, 1.0)
    single = paired_difference([Observation("a", 1.0)], [Observation("a", 0.25)])
    assert (single.value, single.low, single.high, single.clusters, single.p) == (0.75, -1.0, 1.0, 1, 1.0)


def test_a_difference_of_the_same_size_everywhere_keeps_room_on_both_sides() -> None:
    found = paired_difference(one_each([1.0] * 5), one_each([0.0] * 5))
    assert (found.value, found.high, found.p) == (1.0, 1.0, pytest.approx(2 / 32))
    assert found.low == pytest.approx(1 - 2 * (1 - 0.025**0.2))


def test_the_same_seed_gives_the_same_p() -> None:
    draws = np.random.default_rng(0).random((2, 20))
    first, second = one_each(draws[0].tolist()), one_each(draws[1].tolist())
    assert paired_difference(first, second, seed=4) == paired_difference(first, second, seed=4)
    assert paired_difference(first, second, seed=4).p != paired_difference(first, second, seed=5).p


# Gaps, seeds, equivalence.


def test_gap_is_void_unless_both_sides_were_judged() -> None:
    scene = [Observation("a", 1.0), Observation("a", 0.5), Observation("b", None), Observation("c", 1.0)]
    twin = [Observation("a", 0.25), Observation("b", 1.0), Observation("d", 0.0)]
    assert gap(scene, twin) == [("a", 0.5), ("b", None), ("c", None), ("d", None)]


def test_difference_in_differences_may_reach_two() -> None:
    worst, best = gap(hits(3, 3), hits(0, 3)), gap(hits(0, 3), hits(3, 3))
    found = paired_difference(worst, best)
    assert (found.value, found.high) == (2.0, 2.0)
    assert found.low >= -2.0
    single = paired_difference(worst[:1], best[:1])
    assert (single.low, single.high) == (-2.0, 2.0)
    nothing = paired_difference([Gap("a", None)], best[1:])
    assert (nothing.low, nothing.high) == (-2.0, 2.0)


def test_a_gap_is_not_compared_with_a_rate_nor_taken_for_one() -> None:
    gaps = gap(hits(0, 3), hits(3, 3))
    with pytest.raises(ValueError, match="gap"):
        paired_difference(gaps, hits(0, 3))
    with pytest.raises(ValueError, match="scene-000"):
        rate(gaps)


def test_seeds_are_pooled_without_making_new_scenes() -> None:
    runs = {seed: hits(seed, 10) for seed in (2, 3, 4)}
    pooled, spread = across_seeds(runs)
    assert (pooled.value, pooled.clusters, pooled.judged) == (pytest.approx(0.3), 10, 30)
    assert (spread.seeds, spread.lowest, spread.highest) == (3, 0.2, 0.4)
    assert width(pooled) > width(
        rate([Observation(f"{seed}-{x.cluster}", x.value) for seed in runs for x in runs[seed]])
    )


def test_one_seed_has_an_unknown_spread() -> None:
    for runs in ({0: hits(1, 5)}, {0: hits(1, 5), 1: [Observation("a", None)]}):
        spread = across_seeds(runs)[1]
        assert (spread.seeds, spread.lowest, spread.highest) == (1, None, None)
    assert across_seeds({})[1].seeds == 0


def test_seeds_of_a_difference_are_paired_by_seed_and_pooled_by_scene() -> None:
    first, second = {0: hits(4, 8), 1: hits(6, 8), 2: hits(1, 8)}, {0: hits(2, 8), 1: hits(1, 8)}
    found, spread = difference_across_seeds(first, second)
    assert found.clusters == 8
    assert (spread.seeds, spread.lowest, spread.highest) == (2, 0.25, 0.625)


def test_equivalence_needs_evidence_not_its_absence() -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, size=40)
    close = paired_difference(one_each((0.5 + noise).tolist()), one_each([0.5] * 40))
    assert equivalent(close, margin=0.05)
    assert not equivalent(close, margin=0.001)
    few = paired_difference(hits(0, 10), hits(0, 10))
    assert not equivalent(few, margin=0.1)
    assert equivalent(few, margin=0.35)
    assert not equivalent(paired_difference([], []), margin=0.99)


# Coverage, simulated.


def share_covered(scenes: int, samples: int, alpha: float, beta: float, rounds: int) -> float:
    """How often the interval holds the mean of scenes whose own rates come from a beta distribution."""
    rng, truth, covered = np.random.default_rng(11), alpha / (alpha + beta), 0
    for _ in range(rounds):
        drawn = rng.binomial(1, rng.beta(alpha, beta, size=scenes), size=(samples, scenes))
        found = rate([Observation(str(i), float(value)) for row in drawn for i, value in enumerate(row)])
        covered += found.low <= truth <= found.high
    return covered / rounds


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 1.2), (2.0, 2.0), (0.05, 0.95)])
def test_clustered_rates_cover_what_they_claim(alpha: float, beta: float) -> None:
    assert share_covered(12, 5, alpha, beta, rounds=300) >= 0.93


def test_fractional_rates_cover_what_they_claim() -> None:
    rng, covered = np.random.default_rng(12), 0
    for _ in range(300):
        found = rate(one_each(rng.beta(0.4, 1.6, size=18).tolist()))
        covered += found.low <= 0.2 <= found.high
    assert covered / 300 >= 0.93


def test_paired_differences_cover_what_they_claim_and_rarely_cry_wolf() -> None:
    rng, covered, alarms, rounds = np.random.default_rng(13), 0, 0, 150
    for _ in range(rounds):
        scenes = rng.beta(1, 1, size=8)
        first, second = (rng.binomial(4, scenes * scale) / 4 for scale in (1.0, 0.6))
        found = paired_difference(one_each(first.tolist()), one_each(second.tolist()))
        covered += found.low <= 0.2 <= found.high
        null = paired_difference(one_each(first.tolist()), one_each((rng.binomial(4, scenes) / 4).tolist()))
        alarms += null.p <= 0.05
    assert covered / rounds >= 0.92
    assert alarms / rounds <= 0.08
