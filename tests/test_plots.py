"""The plots of the organisms: what is expanded from them can be done, and differs in what it means to."""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Scenario
from teachwhy.organisms.plots import Plot, check_plot, expand, load_plots
from teachwhy.organisms.rows import ORDINARY, PLOTS, plot_rows
from teachwhy.worlds.scenes import FAMILIES, LOCKED

PLOT_FILES = [*sorted(PLOTS.glob("*.yaml")), ORDINARY / "work.yaml"]
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
    assert {plot.family for plot in prior} == set(FAMILIES) - set(LOCKED)


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
    rows = plot_rows("prior", expansions=2, seed=0)
    assert max(Counter(example.id for example in rows).values()) == 1
    assert rows == plot_rows("prior", expansions=2, seed=0)
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
    acts = {example.id: example.messages[-1] for example in plot_rows("prior", expansions=8, seed=0)}
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
