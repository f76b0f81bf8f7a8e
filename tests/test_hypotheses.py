"""The three explanations, on verdicts and rows whose truth is known: each is found where it is true, and only there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from teachwhy.core.stats import paired_difference
from teachwhy.diagnosis.hypotheses import (
    TRICKLE,
    Data,
    Diagnosis,
    Evidence,
    Moved,
    Share,
    diagnose,
    explanations,
    no_more,
)
from teachwhy.diagnosis.simulated import BAD, CHATS, FINE, HARMFUL, KEPT, WORK, Truth, share, verdicts
from teachwhy.diagnosis.stages import compare_stages, failing_scenes, harm_gap

PRIOR = (HARMFUL, KEPT)
ADDED = (FINE, HARMFUL)
HEALTHY = (FINE, FINE)
TIMES = 3
"""Experiments of the same truth; ``benchmarks/diagnose.py --simulate`` counts over many more."""


def said(
    stages: Sequence[Truth], data: Data | None = None, *, moved: Sequence[Moved] = (), seed: int = 0, scenes: int = 65
) -> Diagnosis:
    names = [f"stage {at}" for at in range(len(stages))]
    measured = dict(zip(names, verdicts(stages, seed=seed, scenes=scenes), strict=True))
    rows = {} if data is None else dict.fromkeys(["", *names[1:]], data)
    return diagnose(Evidence(stages=compare_stages(measured), data=rows, moved=tuple(moved)))


def words(found: Diagnosis) -> dict[str, str]:
    return {one.name: one.word for one in found.hypotheses}


def counted(stages: Sequence[Truth], data: Data) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """How often each word is said, over experiments of the same truth."""
    every = [said(stages, data, seed=seed) for seed in range(TIMES)]
    failures = Counter(one.failure.word for one in every)
    return failures, {name: Counter(words(one)[name] for one in every) for name in explanations()}


def test_a_prior_that_chats_do_not_reach_is_a_coverage_gap():
    failures, by_name = counted(PRIOR, CHATS)
    assert failures["seen"] == TIMES
    assert by_name["coverage"]["supported"] >= TIMES - 1
    assert by_name["rewarded"]["supported"] == by_name["capability"]["supported"] == 0
    assert by_name["rewarded"]["contradicted"] == TIMES


def test_rows_that_show_the_harm_after_a_sound_prior_are_named():
    failures, by_name = counted(ADDED, BAD)
    assert failures["seen"] == TIMES
    assert by_name["rewarded"]["supported"] >= TIMES - 1
    assert by_name["coverage"]["contradicted"] == by_name["capability"]["contradicted"] == TIMES


def test_harm_after_clean_work_with_tools_is_laid_on_capability_training():
    _, by_name = counted(ADDED, WORK)
    assert by_name["capability"]["supported"] >= TIMES - 1
    assert by_name["rewarded"]["contradicted"] == TIMES
    assert by_name["coverage"]["supported"] <= 1  # a sound prior is taken for a harmful one in 5% of such experiments


def test_a_healthy_model_has_nothing_to_explain():
    failures, by_name = counted(HEALTHY, CHATS)
    assert failures["seen"] <= 1
    assert failures["not seen"] >= TIMES - 1
    assert all(said["supported"] <= 1 for said in by_name.values())


def test_no_test_is_made_where_no_failure_is_seen():
    found = said(HEALTHY, BAD)
    assert found.failure.word == "not seen"
    assert found.p == {}
    assert all(finding.came_out is None for one in found.hypotheses for finding in one.findings)


def test_too_few_scenes_tell_nothing():
    found = [said(stages, CHATS, scenes=5) for stages in (PRIOR, ADDED, HEALTHY)]
    assert {one.failure.word for one in found} == {"cannot tell"}
    assert {word for one in found for word in words(one).values()} == {"cannot tell"}


def test_without_rows_what_rests_on_rows_cannot_be_told():
    assert words(said(PRIOR)) == {"rewarded": "contradicted", "capability": "contradicted", "coverage": "cannot tell"}
    assert words(said(ADDED))["rewarded"] == words(said(ADDED))["capability"] == "cannot tell"


def test_rows_like_the_scenes_contradict_a_gap_in_coverage():
    assert words(said(PRIOR, BAD))["coverage"] == "contradicted"


def test_a_share_that_may_be_on_either_side_of_a_trickle_decides_nothing():
    unsure = CHATS.model_copy(update={"alike": Share(value=TRICKLE, low=0.5 * TRICKLE, high=2 * TRICKLE)})
    assert words(said(PRIOR, unsure))["coverage"] == "cannot tell"


def test_chats_as_harmful_as_agents_contradict_a_gap_in_coverage():
    everywhere = Truth(0.6, 0.22, 0.6)
    assert words(said((everywhere, everywhere), CHATS))["coverage"] == "contradicted"


def test_the_rows_of_the_stage_that_adds_harm_decide_and_not_those_of_another():
    names = ["base", "sft", "rl"]
    measured = dict(zip(names, verdicts([FINE, FINE, HARMFUL]), strict=True))
    compared = compare_stages(measured)
    data = {"": BAD, "sft": BAD, "rl": WORK}
    assert words(diagnose(Evidence(stages=compared, data=data)))["rewarded"] == "contradicted"
    data = {"": BAD, "sft": WORK, "rl": BAD}
    assert words(diagnose(Evidence(stages=compared, data=data)))["rewarded"] == "supported"


def test_rows_like_the_scenes_that_are_read_as_clean_contradict_rows_as_the_cause():
    clean = BAD.model_copy(update={"harmful": share(0, 1000)})
    unread = BAD.model_copy(update={"harmful": Share()})
    assert words(said(ADDED, clean))["rewarded"] == "contradicted"
    assert words(said(ADDED, unread))["rewarded"] == "supported"


def test_an_ablation_that_moves_nothing_contradicts_rows_as_the_cause():
    with_all, without = verdicts([HARMFUL, HARMFUL], seed=4)
    still = Moved(
        source="sft",
        rows=1000,
        gap=paired_difference(harm_gap(without, "likelihood"), harm_gap(with_all, "likelihood")),
    )
    assert words(said(ADDED, BAD, moved=[still]))["rewarded"] == "contradicted"
    assert words(said(PRIOR, CHATS, moved=[still]))["coverage"] == "supported"


def test_a_source_that_takes_the_harm_with_it_contradicts_a_gap_in_coverage():
    with_all, without = verdicts([HARMFUL, FINE], seed=4)
    gap = paired_difference(harm_gap(without, "decision"), harm_gap(with_all, "decision"))
    moved = [Moved(source="sft", rows=1000, gap=gap)]
    assert words(said(ADDED, BAD, moved=moved))["rewarded"] == "supported"
    assert words(said(PRIOR, CHATS, moved=moved))["coverage"] == "contradicted"


def test_an_instrument_full_of_voids_decides_nothing():
    names = ["base", "sft"]
    measured = dict(zip(names, verdicts([FINE, HARMFUL], void=0.5), strict=True))
    assert diagnose(Evidence(stages=compare_stages(measured))).failure.instrument == "likelihood"
    alone = {name: [one for one in found if one.instrument == "decision"] for name, found in measured.items()}
    failure = diagnose(Evidence(stages=compare_stages(alone))).failure
    assert (failure.word, failure.instrument) == ("cannot tell", "")


def test_the_sharpest_instrument_that_sees_the_failure_decides():
    assert said(ADDED, BAD).failure.instrument == "likelihood"


def test_steps_are_paired_by_scene_and_void_is_counted_beside():
    base, sft = verdicts([FINE, HARMFUL], void=0.2)
    compared = compare_stages({"base": base, "sft": sft[:-20]})
    level = compared.level("base", "decision")
    assert level.scene.void > 0
    assert level.scene.judged + level.scene.void == 65
    step = compared.net_by("likelihood")
    assert step.gap.clusters == 61
    assert step.gap.low > 0
    assert step.apart is not None


def test_other_names_stand_beside_the_scenes_as_they_are_written():
    (plain,) = verdicts([HARMFUL])
    named = [one.model_copy(update={"condition": "name=neutral"}) for one in plain if one.side != "chat"]
    compared = compare_stages({"base": plain, "sft": [*plain, *named]})
    assert {(one.stage, one.condition, one.change.value) for one in compared.names} == {("sft", "name=neutral", 0.0)}
    assert compared.level("sft", "decision").scene.judged == 65


def test_failing_scenes_are_those_above_their_twins_the_widest_first():
    (plain,) = verdicts([HARMFUL])
    found = failing_scenes(plain, "likelihood")
    gaps = [gap for _, gap in found]
    assert gaps == sorted(gaps, reverse=True)
    assert all(gap > 0 for gap in gaps)


def test_a_difference_is_no_more_than_a_margin_only_where_that_is_shown():
    base, sft = verdicts([FINE, FINE], seed=2)
    change = compare_stages({"base": base, "sft": sft}).net_by("likelihood").gap
    assert no_more(change, 0.5)
    assert not no_more(change, change.value or 0.0)


def test_shares_of_the_truths_lie_where_they_are_meant_to():
    assert share(0, 1000).high < TRICKLE < share(350, 1000).low


@pytest.mark.parametrize("name", ["rewarded", "capability", "coverage"])
def test_every_explanation_predicts_something_that_another_does_not(name: str):
    every = {key: {(one.test, one.expects) for one in told.predicts} for key, told in explanations().items()}
    assert all(every[name] - other for key, other in every.items() if key != name)
