"""The experiment file: whatever is wrong with it is said in one line, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.lab.experiment import Experiment, load_experiment, read_tokens
from teachwhy.worlds.scenes import FAMILIES

EXPERIMENTS = sorted((Path(__file__).parent.parent / "experiments").glob("*.yaml"))
GOOD: dict[str, Any] = {
    "name": "small",
    "start": {"model": "smollm2-135m", "organism": "coverage_gap"},
    "arms": {"replay": {"replay": "20k"}, "advice": {"advice": 500, "replay": "0.5k"}},
}


def written(folder: Path, data: object) -> Path:
    path = folder / "small.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.name)
def test_every_experiment_that_ships_can_be_read(path: Path):
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    assert set(experiment.training_families()).isdisjoint(experiment.held_out)


def test_there_is_an_experiment_that_ships():
    assert EXPERIMENTS


def test_a_good_file_is_read_with_its_budgets_in_tokens_and_sensible_silence(tmp_path: Path):
    experiment = load_experiment(written(tmp_path, GOOD))
    assert experiment.arms == {"replay": {"replay": 20_000}, "advice": {"advice": 500, "replay": 500}}
    assert experiment.control == "replay"
    assert experiment.seeds == (0,)
    assert set(experiment.training_families()) == set(FAMILIES) - {"blackmail", "research_sabotage", "framing"}
    narrowed = load_experiment(written(tmp_path, GOOD | {"families": ["leaking"]}))
    assert narrowed.training_families() == ("leaking",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seedz": [0]}, ["unknown key 'seedz'", "did you mean 'seeds'?"]),
        ({"start": {"modell": "x", "model": "y"}}, ["unknown key 'start.modell'", "did you mean 'model'?"]),
        ({"recipe": {"epoch": 1}}, ["unknown key 'recipe.epoch'", "did you mean 'epochs'?"]),
        (
            {"measure": {"instrument": ["decision"]}},
            ["unknown key 'measure.instrument'", "did you mean 'instruments'?"],
        ),
        ({"arms": {"replay": {"replay": 1}, "a": {"advise": 1}}}, ["arm 'a'", "'advise'", "did you mean 'advice'?"]),
        ({"arms": {"replay": {}}}, ["arm 'replay' holds no intervention"]),
        ({"arms": {"replay": {"replay": "20 thousand"}}}, ["arms.replay.replay"]),
        ({"arms": {"replay": {"replay": 0}}}, ["arms.replay.replay", "greater than 0"]),
        ({"arms": {"replay": {"replay": "0k"}}}, ["arms.replay.replay", "greater than 0"]),
        ({"arms": {"replay": {"replay": -5}}}, ["arms.replay.replay"]),
        ({"arms": {"advice": {"advice": 5}}}, ["'replay'", "There is: advice"]),
        ({"arms": {}}, ["'replay'"]),
        ({"arms": ["replay"]}, ["arms"]),
        ({"control": "repaly"}, ["'repaly'", "did you mean 'replay'?"]),
        ({"held_out": ["blackmial"]}, ["unknown family 'blackmial'", "did you mean 'blackmail'?"]),
        ({"families": ["leeking"]}, ["unknown family 'leeking'", "did you mean 'leaking'?"]),
        ({"measure": {"families": ["framming"]}}, ["unknown family 'framming'", "did you mean 'framing'?"]),
        ({"families": ["leaking", "framing"]}, ["'framing' is held out", "no arm may train on it"]),
        ({"start": {"model": "x", "organism": "coverage-gap"}}, ["'coverage-gap'", "did you mean 'coverage_gap'?"]),
        ({"start": {"organism": "coverage_gap"}}, ["start.model"]),
        ({"measure": {"instruments": ["rolout"]}}, ["measure.instruments.0"]),
        ({"measure": {"samples": 0}}, ["measure.samples"]),
        ({"seeds": []}, ["seeds"]),
        ({"name": "../elsewhere"}, ["name"]),
        ({"name": ""}, ["name"]),
        ({True: 1}, ["small.yaml"]),
        ({3: 1}, ["small.yaml"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line_naming_the_file(tmp_path: Path, change: dict[Any, Any], words: list[str]):
    path = written(tmp_path, {**GOOD, **change})
    said = refusal(ConfigError, lambda: load_experiment(path))
    assert said.startswith(str(path))
    for word in words:
        assert word in said


@pytest.mark.parametrize("key", ["name", "start", "arms"])
def test_what_must_be_there_is_asked_for(tmp_path: Path, key: str):
    path = written(tmp_path, {name: value for name, value in GOOD.items() if name != key})
    assert f"{key}: Field required" in refusal(ConfigError, lambda: load_experiment(path))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "7"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str):
    path = written(tmp_path, text)
    assert "expected a mapping" in refusal(ConfigError, lambda: load_experiment(path))


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tname: x", "a: *b"])
def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path, text: str):
    path = written(tmp_path, text)
    assert "not valid YAML" in refusal(ConfigError, lambda: load_experiment(path))


def test_a_file_that_is_missing_a_folder_or_not_utf8_is_refused(tmp_path: Path):
    assert "cannot read" in refusal(ConfigError, lambda: load_experiment(tmp_path / "none.yaml"))
    assert "cannot read" in refusal(ConfigError, lambda: load_experiment(tmp_path))
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9\n".encode("latin-1"))
    assert "not UTF-8" in refusal(ConfigError, lambda: load_experiment(tmp_path / "latin.yaml"))


def test_an_experiment_without_an_instrument_is_refused(tmp_path: Path):
    path = written(tmp_path, {**GOOD, "measure": {"instruments": list[str]()}})
    assert "measure.instruments" in refusal(ConfigError, lambda: load_experiment(path))


@pytest.mark.parametrize("arm", ["a/b", "../up", ""])
def test_an_arm_whose_name_cannot_be_part_of_a_folder_is_refused(tmp_path: Path, arm: str):
    path = written(tmp_path, GOOD | {"arms": {"replay": {"replay": 5}, arm: {"advice": 5}}})
    refusal(ConfigError, lambda: load_experiment(path))


def test_a_seed_that_is_named_twice_is_refused_for_it_would_count_twice(tmp_path: Path):
    path = written(tmp_path, GOOD | {"seeds": [1, 1]})
    assert "seeds" in refusal(ConfigError, lambda: load_experiment(path))


@pytest.mark.parametrize(
    ("size", "tokens"),
    [("20k", 20_000), ("1.5M", 1_500_000), (" 7 ", 7), ("0.5k", 500), (20, 20), ("20K", "20K"), ("", ""), (None, None)],
)
def test_sizes_are_read_as_people_write_them(size: object, tokens: object):
    assert read_tokens(size) == tokens


@given(st.integers(1, 10**6))
def test_a_size_in_thousands_is_a_thousand_times_the_size(size: int):
    assert read_tokens(f"{size}k") == 1000 * size
    assert read_tokens(f"{size}") == size


@given(st.integers(0, 999), st.integers(0, 999))
def test_a_size_with_decimals_loses_no_token(whole: int, thousandths: int):
    assert read_tokens(f"{whole}.{thousandths:03}k") == 1000 * whole + thousandths


@given(
    st.dictionaries(
        st.sampled_from([*Experiment.model_fields, "other"]),
        st.none() | st.integers() | st.text("ab: /", max_size=5) | st.lists(st.integers(), max_size=2),
    )
)
def test_any_mapping_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]):
    path = written(tmp_path_factory.mktemp("any"), GOOD | data)
    try:
        load_experiment(path)
    except ConfigError:
        refusal(ConfigError, lambda: load_experiment(path))
