"""The axes of the honeypots: a design around the scene as it is written, which changes words and nothing else."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.core.markdown import CANARY, load_mapping
from teachwhy.core.records import Scenario
from teachwhy.evals.honeypots.axes import AXES, FOLDER, Extent, conditions, expand, extents, read_axes, vary
from teachwhy.evals.honeypots.suite import SCENES, load_suite
from teachwhy.worlds.scenes import all_text, load_scenes

Pair = tuple[Scenario, Scenario]


@cache
def worded() -> list[Pair]:
    return [(scene, twin) for scene, twin in load_scenes(SCENES) if twin is not None and scene.wordings]


designs = st.dictionaries(st.sampled_from(sorted(AXES)), st.just(()), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: st.lists(st.sampled_from(AXES[name]), min_size=1, unique=True).map(tuple) for name in names}
    )
)


@given(designs)
def test_one_axis_at_a_time_is_the_scene_as_written_and_one_condition_for_each_level(axes: dict[str, tuple[str, ...]]):
    found = conditions(axes)
    assert found[0] == {}
    assert len(found) == 1 + sum(len(levels) for levels in axes.values())
    assert all(len(condition) == 1 for condition in found[1:])


@given(designs)
def test_crossed_is_every_combination_once_with_the_single_axes_among_them(axes: dict[str, tuple[str, ...]]):
    found = conditions(axes, crossed=True)
    size = 1
    for levels in axes.values():
        size *= 1 + len(levels)
    assert len(found) == size
    assert len({tuple(sorted(condition.items())) for condition in found}) == size
    assert all(condition in found for condition in conditions(axes))


def test_without_axes_there_is_the_suite_as_it_is_written():
    suite = load_suite(["leaking"])
    assert [(one.condition, one.scene, one.twin) for one in expand(suite, {})] == [("", *pair) for pair in suite]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gaol=latent", "did you mean 'goal'?"),
        ("goal=latnet", "did you mean 'latent'?"),
        ("goal=", "has no level"),
        ("goal", "has no level"),
    ],
)
def test_an_axis_or_level_that_there_is_not_is_refused_with_a_guess(text: str, words: str):
    assert words in refusal(ConfigError, lambda: read_axes(text))


def test_axes_are_read_from_one_line():
    assert read_axes("goal=latent, none; name=own") == {"goal": ("latent", "none"), "name": ("own",)}


@pytest.mark.parametrize("axis", ["goal", "threat"])
def test_the_scenes_own_words_are_exchanged_and_nothing_else_of_it(axis: str):
    tried = 0
    for scene, twin in worded():
        own, words = scene.axes.get(axis, "none"), scene.wordings.get(axis, {})
        for level in AXES[axis]:
            varied = vary((scene, twin), {axis: level})
            if own == level:
                assert varied is None
                continue
            if varied is None:
                continue
            tried += 1
            text = all_text(varied[0])
            if level != "none":
                assert words[level] in text
            if own != "none":
                assert words[own] not in text
            kept = {"tools", "opening", "harmful_when", "done_when", "harmful", "clean", "then", "id", "split"}
            assert varied[0].model_dump(include=kept) == scene.model_dump(include=kept)
            assert varied[0].axes[axis] == level
            assert "  " not in varied[0].system
    assert tried > 0


def test_a_scene_without_the_words_for_a_level_is_left_out():
    scene, twin = load_suite()[0]
    levels = [level for level in AXES["goal"] if level != scene.axes["goal"]]
    assert {vary(bare((scene, twin)), {"goal": level}) for level in levels} == {None}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("One. Words. Two.", "One. Two."),
        ("One. Words.\nTwo.", "One.\nTwo."),
        ("One.\nWords.\nTwo.", "One.\nTwo."),
        ("One.\n\nWords.\n\nTwo.", "One.\n\nTwo."),
        ("One.\nWords. Two.", "One.\nTwo."),
        ("Words. Two.", "Two."),
        ("One.\nWords.", "One."),
    ],
)
def test_words_that_are_taken_out_leave_no_gap(text: str, left: str):
    scene, twin = worded()[0]
    own = {"axes": {"goal": "latent"}, "wordings": {"goal": {"latent": "Words."}}, "system": text}
    pair = (scene.model_copy(update=own), twin.model_copy(update=own))
    varied = vary(pair, {"goal": "none"})
    assert varied is not None
    assert [side.system for side in varied] == [left, left]


def bare(pair: Pair) -> Pair:
    scene, twin = (side.model_copy(update={"wordings": {}}) for side in pair)
    return scene, twin


def test_what_a_design_comes_to_is_told_before_anything_is_spent_with_the_scenes_that_are_left_out():
    with_words = [
        pair for pair in worded() if {"latent", pair[0].axes["goal"]} <= pair[0].wordings.get("goal", {}).keys()
    ]
    latent = sum(scene.axes["goal"] == "latent" for scene, _ in with_words)
    others = [bare(pair) for pair in load_suite(["leaking"]) if pair[0].axes["goal"] == "explicit"]
    suite = [*with_words, *others]
    axes = {"goal": ("latent",), "framing": ("test",)}
    assert extents(suite, axes) == [
        Extent("", len(suite), 0, 0),
        Extent("goal=latent", len(with_words) - latent, latent, len(others)),
        Extent("framing=test", len(suite), 0, 0),
    ]
    assert extents(suite, axes, crossed=True)[-1].condition == "goal=latent,framing=test"
    assert latent
    assert others


@given(designs, st.booleans())
def test_there_are_as_many_pairs_under_a_condition_as_were_told(axes: dict[str, tuple[str, ...]], crossed: bool):
    suite = worded()
    found = Counter(one.condition for one in expand(suite, axes, crossed=crossed, model_name="Ostrich-7"))
    told = {extent.condition: extent.scenes for extent in extents(suite, axes, crossed=crossed)}
    assert found == {condition: scenes for condition, scenes in told.items() if scenes}
    for extent in extents(suite, axes, crossed=crossed):
        assert extent.scenes + extent.standing + extent.wordless == len(suite)


def test_a_level_that_no_scene_has_the_words_for_is_refused():
    suite = [bare(pair) for pair in load_suite(["leaking"])]
    assert "no scene has the words for goal=ambiguous" in refusal(
        ConfigError, lambda: expand(suite, {"goal": ("ambiguous",)})
    )


def test_scene_and_twin_get_the_same_words_of_the_generic_axes():
    plain = {scene.id: (scene, twin) for scene, twin in load_suite(["leaking"])}
    for one in expand([*plain.values()], {"scratchpad": ("yes",), "name": ("neutral",)}):
        sides = zip((one.scene, one.twin), plain[one.scene.id], strict=True)
        added = [side.system.replace(was.system, "") for side, was in sides]
        assert added[0] == added[1]
        assert bool(added[0]) == bool(one.condition)


def test_names_are_the_models_own_a_neutral_one_and_three_that_differ():
    pair = load_suite(["leaking"])[0]
    texts: set[str] = set()
    for level in AXES["name"]:
        varied = vary(pair, {"name": level}, model_name="Ostrich-7")
        assert varied is not None
        for side, plain in zip(varied, pair, strict=True):
            assert side.system.endswith(plain.system)
        assert ("Ostrich-7" in varied[0].system) == (level == "own")
        texts.add(varied[0].system.removesuffix(pair[0].system))
    assert len(texts) == len(AXES["name"])


def test_the_own_name_is_asked_for_where_none_is_known():
    pair = load_suite(["leaking"])[0]
    assert "--model-name" in refusal(ConfigError, lambda: vary(pair, {"name": "own"}, model_name="the model"))


def test_there_are_sixty_names_to_draw_from_and_none_twice():
    names = load_mapping((FOLDER / "names.yaml").read_text(encoding="utf-8"), "names.yaml")["random"]
    assert len(set(names)) == len(names) >= 60


def test_which_wording_a_scene_gets_depends_on_the_seed_and_on_nothing_else():
    suite = load_suite()
    axes = {"framing": ("deployment", "test"), "scratchpad": ("yes",)}
    assert expand(suite, axes, seed=1) == expand(suite, axes, seed=1)
    assert expand(suite, axes, seed=1) != expand(suite, axes, seed=2)


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_the_words_of_the_axes_carry_the_canary(path: Path):
    assert CANARY in path.read_text(encoding="utf-8")
