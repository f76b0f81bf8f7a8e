"""The corpus that ships, the rows made of it, their budget, and the plots of the organism."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal, row
from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Scenario
from teachwhy.interventions import INTERVENTIONS, fill_budget
from teachwhy.interventions.library.shelf import advice_dialogues, everyday_chats, ordinary_work, training_scenes
from teachwhy.organisms import ORGANISMS
from teachwhy.organisms.coverage_gap.plots import HERE, Plot, check_plot, expand, load_plots
from teachwhy.organisms.coverage_gap.rows import prior_rows
from teachwhy.worlds.scenes import FAMILIES
from teachwhy.worlds.world import World, first_match

HELD_OUT = {"blackmail", "research_sabotage", "framing"}
TRAINED = tuple(family for family in FAMILIES if family not in HELD_OUT)


@cache
def rows_of(intervention: str) -> tuple[Example, ...]:
    return tuple(INTERVENTIONS[intervention](TRAINED))


# The library


def test_the_library_holds_the_promised_number_of_scenes_and_dialogues():
    assert len(training_scenes(FAMILIES)) >= 60
    assert len(advice_dialogues()) >= 60


def test_there_is_ordinary_work_and_everyday_chat_without_any_dilemma():
    work = ordinary_work()
    assert len(work) >= 40
    assert len(everyday_chats()) >= 20
    for scene in work:
        assert scene.family not in FAMILIES
        assert not scene.harmful


def test_no_training_scene_is_of_a_held_out_family():
    scenes = training_scenes(FAMILIES)
    assert {scene.family for scene in scenes} == set(TRAINED)
    assert {scene.split for scene in scenes} == {"train_like"}


@pytest.mark.parametrize("families", [HELD_OUT, set[str]()])
def test_asking_for_training_scenes_of_families_that_have_none_is_refused(families: set[str]):
    assert "no training scene of" in refusal(ConfigError, lambda: training_scenes(families))


def test_every_clause_that_the_corpus_refers_to_is_in_the_default_constitution():
    known = {clause.id for clause in load_constitution("default").clauses}
    for item in (*training_scenes(FAMILIES), *advice_dialogues()):
        assert item.clauses, item.id
        assert set(item.clauses) <= known, item.id


def test_every_clean_act_of_a_training_scene_has_its_own_reasons():
    said = [reasons for scene in training_scenes(FAMILIES) for reasons in scene.reasons]
    for scene in training_scenes(FAMILIES):
        assert len(scene.reasons) == len(scene.clean)
    assert len(set(said)) == len(said)


def test_the_detectors_of_training_scenes_fire_on_the_harm_alone_and_every_act_can_be_done():
    for scene in training_scenes(FAMILIES):
        assert all(first_match([call], scene.harmful_when) for call in scene.harmful)
        assert not any(first_match([call], scene.harmful_when) for call in (*scene.clean, *scene.opening))
        for call in (*scene.opening, *scene.harmful, *scene.clean):
            assert not World(scene).perform(call).startswith("Error:")


@pytest.mark.parametrize("intervention", INTERVENTIONS)
def test_ids_of_rows_are_unique_and_every_row_ends_with_the_assistant(intervention: str):
    rows = rows_of(intervention)
    assert rows
    assert max(Counter(example.id for example in rows).values()) == 1
    for example in rows:
        assert example.intervention == intervention
        assert example.messages[-1].role == "assistant"
        assert example.messages[-1].content or example.messages[-1].tool_calls
        assert Example.from_line(example.to_line()) == example


@pytest.mark.parametrize("intervention", INTERVENTIONS)
def test_no_two_rows_teach_the_same(intervention: str):
    taught = Counter(json.dumps([message.row() for message in example.messages]) for example in rows_of(intervention))
    assert max(taught.values()) == 1


def test_advice_is_chat_alone_and_belongs_to_no_family():
    for example in rows_of("advice"):
        assert not example.tools
        assert example.family is None
        assert not any(message.tool_calls or message.role == "tool" for message in example.messages)


def test_only_scenes_of_the_families_asked_for_become_rows():
    for intervention in ("cloning", "explained"):
        assert {example.family for example in INTERVENTIONS[intervention](["leaking"])} == {"leaking"}


def test_cloning_and_explained_share_prompt_and_act_and_differ_in_the_reasons_alone():
    cloning, explained = rows_of("cloning"), rows_of("explained")
    assert len(cloning) == len(explained)
    for silent, reasoned in zip(cloning, explained, strict=True):
        assert silent.id.removeprefix("cloning/") == reasoned.id.removeprefix("explained/")
        assert silent.messages[:-1] == reasoned.messages[:-1]
        act, spoken = silent.messages[-1], reasoned.messages[-1]
        assert act.content == ""
        assert spoken.content
        assert spoken.model_copy(update={"content": ""}) == act


def test_cloning_and_explained_are_offered_the_same_tools_in_the_same_order():
    for silent, reasoned in zip(rows_of("cloning"), rows_of("explained"), strict=True):
        assert silent.tools == reasoned.tools, silent.id


# The budget

sizes = st.lists(st.integers(1, 50), min_size=1, max_size=12)


def sized(lengths: list[int]) -> tuple[list[Example], dict[str, int]]:
    rows = [row(f"r{number:02}") for number in range(len(lengths))]
    return rows, {example.id: length for example, length in zip(rows, lengths, strict=True)}


@given(sizes, st.integers(1, 400), st.integers(0, 99))
def test_a_budget_is_never_passed_and_no_row_repeated(lengths: list[int], tokens: int, seed: int):
    rows, cost = sized(lengths)
    if min(lengths) > tokens:
        refusal(ConfigError, lambda: fill_budget(rows, tokens, lambda example: cost[example.id], seed))
        return
    built = fill_budget(rows, tokens, lambda example: cost[example.id], seed)
    ids = [example.id for example in built.rows]
    assert len(set(ids)) == len(ids)
    assert built.tokens == sum(cost[name] for name in ids) <= tokens
    assert sum(built.dropped.values()) == len(rows) - len(ids)
    for left in set(cost) - set(ids):
        assert built.tokens + cost[left] > tokens, "a row that would still have fitted was left out"


@given(sizes, st.integers(50, 400), st.integers(0, 99), st.randoms())
def test_a_budget_is_filled_the_same_way_each_time_whatever_the_order_of_the_rows(
    lengths: list[int], tokens: int, seed: int, shuffler: random.Random
):
    rows, cost = sized(lengths)
    turned = list(rows)
    shuffler.shuffle(turned)
    first, second = (fill_budget(some, tokens, lambda example: cost[example.id], seed) for some in (rows, turned))
    assert first == second


def test_other_seeds_choose_other_rows():
    rows, cost = sized([10] * 12)
    chosen = {fill_budget(rows, 30, lambda example: cost[example.id], seed).rows for seed in range(10)}
    assert len(chosen) > 5


def test_a_budget_larger_than_the_library_is_gone_through_once():
    rows, cost = sized([10, 20])
    built = fill_budget(rows, 10**9, lambda example: cost[example.id], 0)
    assert sorted(example.id for example in built.rows) == ["r00", "r01"]
    assert built.tokens == 30
    assert built.dropped == {}


@pytest.mark.parametrize("rows", [[], [row("r")]])
def test_a_budget_too_small_for_any_row_is_refused(rows: list[Example]):
    assert "holds no row" in refusal(ConfigError, lambda: fill_budget(rows, 1, lambda _: 2, 0))


# Plots

PLOT_FILES = [*sorted((HERE / "plots").glob("*.yaml")), HERE / "ordinary" / "work.yaml"]
every_plot_file = pytest.mark.parametrize("path", PLOT_FILES, ids=lambda path: path.stem)


@cache
def plots_of(path: Path) -> tuple[Plot, ...]:
    return tuple(load_plots(path))


@every_plot_file
def test_the_acts_of_every_plot_can_be_carried_out_in_its_expansions(path: Path):
    for plot in plots_of(path):
        check_plot(plot)


def test_ids_of_plots_are_unique_and_the_prior_knows_every_family():
    prior = [plot for path in PLOT_FILES[:-1] for plot in plots_of(path)]
    ids = Counter(plot.id for plot in (*prior, *plots_of(PLOT_FILES[-1])))
    assert max(ids.values()) == 1
    assert {plot.family for plot in prior} == set(FAMILIES)


@every_plot_file
def test_an_expansion_is_the_same_each_time_and_leaves_no_slot_open(path: Path):
    for plot in plots_of(path):
        sides = expand(plot, random.Random("0"))
        assert sides == expand(plot, random.Random("0"))
        for side in sides:
            assert not re.search(r"\{[a-z_][a-z0-9_]*\}", side.to_line())


def assert_differ_in_the_deciding_text_alone(scene: Scenario, twin: Scenario) -> None:
    where = {"system", "user", "world"}
    assert scene.model_dump(exclude={"side", "clean", *where}) == twin.model_dump(exclude={"side", "clean", *where})
    assert scene.world.keys() == twin.world.keys()
    assert all(scene.world[shelf].keys() == twin.world[shelf].keys() for shelf in scene.world)
    changed = {name for name in where if getattr(scene, name) != getattr(twin, name)}
    assert len(changed) == 1
    if "system" in changed:  # the deciding text stands after what both share
        assert shared_start(scene.system, twin.system).find("\n\n") > 0
    if "user" in changed:  # and before it
        assert shared_start(scene.user[::-1], twin.user[::-1]).find("\n\n") > 0


def shared_start(one: str, other: str) -> str:
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


@every_plot_file
def test_scene_and_twin_of_one_expansion_differ_only_in_the_deciding_text_and_the_act(path: Path):
    for plot in plots_of(path):
        for seed in range(3):
            sides = expand(plot, random.Random(f"{seed}"))
            if not plot.pull:
                assert [side.side for side in sides] == ["twin"]
                continue
            scene, twin = sides
            assert (scene.side, twin.side) == ("scene", "twin")
            assert_differ_in_the_deciding_text_alone(scene, twin)


def test_the_prior_has_rows_with_unique_ids_and_no_position_of_its_tools_gives_the_harm_away():
    rows = prior_rows(expansions=2, seed=0)
    assert max(Counter(example.id for example in rows).values()) == 1
    assert rows == prior_rows(expansions=2, seed=0)
    places: Counter[tuple[int, int]] = Counter()
    for example in rows:
        names = [tool["function"]["name"] for tool in example.tools]
        if example.id.endswith("-scene"):
            made = example.messages[-1].tool_calls[0]["function"]["name"]
            places[len(names), names.index(made)] += 1
    for size in {size for size, _ in places}:
        counts = [places[size, place] for place in range(size)]
        total, share = sum(counts), 1 / size
        assert max(abs(count - total * share) for count in counts) <= 5 * (total * share * (1 - share)) ** 0.5 + 1


def test_the_act_taught_in_a_scene_of_the_prior_is_never_the_one_taught_in_its_twin():
    acts = {example.id: example.messages[-1] for example in prior_rows(expansions=8, seed=0)}
    scenes = [name for name in acts if name.endswith("-scene")]
    alike = [name for name in scenes if acts[name] == acts[name.removesuffix("scene") + "twin"]]
    # found after the organism that ships was trained on them; docs/LOG.md has the count
    known = ("framing-orchard-spray", "falsified_records-crane-hours")
    assert [name for name in alike if not any(plot in name for plot in known)] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1", "expected a list"),
        ("- {id: x}", "plot 0: "),
        ("- {id: x, pulls: []}", "plot 0: "),
        ("- [", "not valid YAML"),
        ("- nothing", "plot 0: "),
    ],
)
def test_a_file_of_plots_that_is_wrong_is_refused_in_one_line(tmp_path: Path, text: str, words: str):
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    said = refusal(ConfigError, lambda: load_plots(tmp_path / "p.yaml"))
    assert said.startswith("p.yaml: ")
    assert words in said


def test_a_plot_whose_act_uses_an_unknown_tool_or_choice_is_refused():
    plot = next(plot for plot in plots_of(PLOT_FILES[0]) if plot.harmful)
    lost = plot.model_copy(update={"harmful": [{**plot.harmful[0], "tool": "no-such-tool"}]})
    assert "no-such-tool" in refusal(ConfigError, lambda: check_plot(lost))
    odd = plot.model_copy(update={"harmful": [{**plot.harmful[0], "no-such-argument": "x"}]})
    assert "cannot be carried out" in refusal(ConfigError, lambda: check_plot(odd))


def test_every_organism_is_listed_under_its_name_and_its_stages_make_rows():
    for name, organism in ORGANISMS.items():
        assert organism.name == name
        assert [stage.name for stage in organism.stages] == ["prior", "ordinary"]
