"""Organisms: what ships is what they were made from, every stage can be named and opened, and they are built whole."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

from conftest import refusal, row
from teachwhy import organisms
from teachwhy.core.errors import ConfigError, ModelError
from teachwhy.core.records import Example
from teachwhy.core.store import Store, folder_key, read_lines
from teachwhy.lab.organism import build, open_stage, rows_key, write_rows
from teachwhy.organisms import ORGANISMS, STAGES, Organism, OrganismStage, find_stage
from teachwhy.training.recipe import Recipe
from tiny import QUICK, tiny_model

every_stage = pytest.mark.parametrize("name", [name for name in STAGES if ":" in name])


@cache
def rows_of(name: str) -> tuple[Example, ...]:
    return tuple(STAGES[name][1].rows())


@cache
def made_from(organism: str) -> dict[str, Any]:
    return json.loads(ORGANISMS[organism].made_from.read_text(encoding="utf-8"))


def test_an_organism_has_its_own_name_and_stands_for_its_last_stage():
    for name, organism in ORGANISMS.items():
        assert organism.name == name
        assert find_stage(name) == (organism, organism.stages[-1])
        assert find_stage(f"{name}:{organism.stages[0].name}") == (organism, organism.stages[0])
        assert list(made_from(name)["stages"]) == [stage.name for stage in organism.stages]


@every_stage
def test_the_adapter_that_ships_is_the_one_that_was_made(name: str):
    organism, stage = STAGES[name]
    assert made_from(organism.name)["stages"][stage.name]["adapter"] == folder_key(stage.adapter)
    config = json.loads((stage.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == organism.base == made_from(organism.name)["base"]
    assert config["r"] == Recipe.model_validate(stage.recipe).rank
    assert sorted(path.name for path in stage.adapter.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


@every_stage
def test_the_rows_it_was_made_from_are_those_that_are_committed(name: str):
    organism, stage = STAGES[name]
    made = made_from(organism.name)["stages"][stage.name]
    assert rows_key(rows_of(name)) == made["rows"]
    assert len(rows_of(name)) == made["training"]["rows"]
    assert len({one.id for one in rows_of(name)}) == len(rows_of(name))


def test_the_two_stages_of_misrewarded_differ_in_the_act_and_the_first_holds_no_harm():
    clean, rewarded = rows_of("misrewarded:prior"), rows_of("misrewarded:rewarded")
    harms = {_act(one) for one in rewarded if one.id.endswith("-scene")}
    assert harms.isdisjoint(_act(one) for one in clean)
    assert {one.family for one in clean} >= {one.family for one in rewarded if one.family}


def _act(one: Example) -> str:
    return json.dumps(one.messages[-1].tool_calls, sort_keys=True)


def test_a_stage_that_there_is_not_is_refused_with_a_guess(tmp_path: Path):
    open_it = partial(open_stage, store=Store(tmp_path))
    assert "unknown organism 'coverage_gab'; did you mean 'coverage_gap'?" in refusal(
        ConfigError, lambda: open_it("coverage_gab:prior")
    )
    assert "coverage_gap has no stage 'pior'; did you mean 'prior'? There is: ordinary, prior" in refusal(
        ConfigError, lambda: open_it("coverage_gap:pior")
    )
    assert refusal(ConfigError, lambda: open_it("coverage_gap:")).startswith("coverage_gap has no stage ''")
    assert "unknown organism" in refusal(ConfigError, lambda: write_rows("nothing", tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_rows_of_a_stage_are_written_once(tmp_path: Path):
    file = write_rows("misrewarded:prior", tmp_path / "rows")
    assert tuple(read_lines(file, Example)) == rows_of("misrewarded:prior")
    first = json.loads(file.read_text(encoding="utf-8").split("\n", 1)[0])
    assert first["messages"][0]["role"] == "system"
    assert first["tools"][0]["function"]["name"]
    assert "is there already" in refusal(ConfigError, lambda: write_rows("coverage_gap", tmp_path / "rows"))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Organism:
    """An organism on the tiny model that does not ship yet."""
    rows = {"prior": "The door is open.", "ordinary": "Thank you for writing."}
    stages = tuple(
        OrganismStage(
            name=name,
            about=name,
            rows=lambda said=said: [row(f"{said}-{at}", said) for at in range(4)],
            recipe=QUICK.model_dump(),
            adapter=tmp_path / "adapters" / name,
        )
        for name, said in rows.items()
    )
    one = Organism(name="small", base=str(tiny_model()), stages=stages, adapters=tmp_path / "adapters")
    monkeypatch.setitem(organisms.ORGANISMS, "small", one)
    for stage in stages:
        monkeypatch.setitem(organisms.STAGES, f"small:{stage.name}", (one, stage))
    monkeypatch.setitem(organisms.STAGES, "small", (one, stages[-1]))
    return one


def test_an_organism_is_built_stage_upon_stage_and_each_opens_as_other_weights(small: Organism, tmp_path: Path):
    store, console = Store(tmp_path / "run"), Console(quiet=True)
    assert "small is not built" in refusal(ModelError, lambda: open_stage("small", store))
    build("small", tmp_path / "run", console)
    made = json.loads(small.made_from.read_text(encoding="utf-8"))
    for stage in small.stages:
        assert made["stages"][stage.name]["adapter"] == folder_key(stage.adapter)
        assert made["stages"][stage.name]["rows"] == rows_key(stage.rows())
    assert "ships already" in refusal(ConfigError, lambda: build("small", tmp_path / "run", console))
    prior, last = open_stage("small:prior", store), open_stage("small:ordinary", store)
    assert open_stage("small", store) == last
    assert prior.key != last.key
    weights = [load_file(one.folder / "model.safetensors") for one in (prior, last)]
    assert any(not weights[0][name].equal(weights[1][name]) for name in weights[0])
