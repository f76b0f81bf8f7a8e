"""The experiment file: whatever is wrong with it is said in one line, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import count_words, library_rows, refusal
from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.interventions import CONTROLS, Built
from teachwhy.interventions.writers.roles import LIBRARY
from teachwhy.lab.arms import Builder
from teachwhy.lab.counting import counter
from teachwhy.lab.dataset import write_dataset
from teachwhy.lab.experiment import Arm, Experiment, Part, load_experiment
from teachwhy.lab.sizes import read_tokens
from teachwhy.worlds.scenes import FAMILIES, LOCKED
from tiny import tiny_model

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
    assert experiment.arms == {
        "replay": Arm(parts={"replay": Part(tokens=20_000)}),
        "advice": Arm(parts={"advice": Part(tokens=500), "replay": Part(tokens=500)}),
    }
    assert set(experiment.all_arms()) == {"replay", "advice"}
    assert experiment.control == "replay"
    assert experiment.seeds == (0,)
    assert set(experiment.training_families()) == set(FAMILIES) - {"blackmail", "research_sabotage", "framing", *LOCKED}
    narrowed = load_experiment(written(tmp_path, GOOD | {"families": ["leaking"]}))
    assert narrowed.training_families() == ("leaking",)


def test_a_part_may_say_more_than_its_budget(tmp_path: Path):
    stories = {"tokens": "2k", "options": {"kind": "health"}, "without": ["review"]}
    arms = {"replay": {"replay": "20k"}, "fiction": {"stories": stories, "own": {"tokens": 9, "rows": "mine.jsonl"}}}
    parts = load_experiment(written(tmp_path, GOOD | {"arms": arms})).arms["fiction"].parts
    assert parts["stories"] == Part(tokens=2000, options={"kind": "health"}, without=("review",))
    assert parts["own"] == Part(tokens=9, rows=Path("mine.jsonl"))


@pytest.mark.parametrize(("around", "share"), [("half", 0.5), (True, 1.0), (False, 0.0), (0.25, 0.25), (1, 1.0)])
def test_an_arm_says_which_share_of_it_is_surrounded(tmp_path: Path, around: object, share: float):
    arms = {"replay": {"replay": "20k"}, "around": {"advice": "1k", "surround": around}}
    arm = load_experiment(written(tmp_path, GOOD | {"arms": arms})).arms["around"]
    assert arm == Arm(parts={"advice": Part(tokens=1000)}, surround=share)


def test_controls_are_arms_of_their_own_name_after_all_others(tmp_path: Path):
    controls = dict.fromkeys(sorted(CONTROLS.keys() - {"replay"}), "advice")
    experiment = load_experiment(written(tmp_path, GOOD | {"controls": controls, "control": "filler"}))
    assert experiment.all_arms() == (*experiment.arms, *controls)
    assert experiment.control == "filler"


def test_a_model_that_writes_is_bound_to_every_role_and_writes_what_can_be_written(tmp_path: Path):
    experiment = load_experiment(written(tmp_path, GOOD | {"roles": {"writer": "mockllm/one", "judge": "mockllm/two"}}))
    roles = experiment.roles_of("advice")
    assert roles is not None
    assert (roles.reviewer.model, roles.judge.model) == ("mockllm/one", "mockllm/two")
    assert experiment.roles_of("surround") is None
    assert load_experiment(written(tmp_path, GOOD)).roles_of("advice") is None


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
        ({"arms": {"replay": {"replay": {"tokens": 5, "option": {}}}}}, ["'arms.replay.replay.option'", "'options'?"]),
        ({"arms": {"replay": {"replay": {"without": ["draft"]}}}}, ["arms.replay.replay.tokens", "required"]),
        ({"arms": {"replay": {"surround": "half"}}}, ["arm 'replay' holds no intervention"]),
        ({"arms": {"replay": {"replay": 5, "surround": 2}}}, ["arms.replay.surround", "less than or equal to 1"]),
        ({"arms": {"replay": {"replay": 5, "surround": "most"}}}, ["arms.replay.surround"]),
        ({"controls": {"filler": "advise"}}, ["filler: unknown arm 'advise'", "did you mean 'advice'?"]),
        ({"controls": {"filer": "advice"}}, ["unknown control 'filer'", "did you mean 'filler'?"]),
        ({"controls": {"replay": "advice"}}, ["'replay' is an arm already"]),
        ({"controls": ["filler"]}, ["controls"]),
        ({"roles": {"writer": "gpt"}}, ["roles", "gpt"]),
        ({"roles": {"drafter": "mockllm/one"}}, ["roles", "writer"]),
        ({"roles": {"writer": "mockllm/one", "drafer": "mockllm/two"}}, ["roles", "drafer"]),
        ({"roles": {"writer": "library", "judge": "mockllm/one"}}, ["the library writes alone"]),
        ({"roles": {"writer": "openrouter/a/b"}}, ["could be served by any provider"]),
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


# The rows of its arms


def arms_of(folder: Path, **changes: Any) -> dict[str, list[Built]]:
    """The rows of every arm, from the library, counted in words."""
    recipe = {"batch": 1, "micro_batch": 1, "least_steps": 1}
    experiment = load_experiment(written(folder, GOOD | {"recipe": recipe} | changes))
    builder = Builder(experiment, load_constitution("default"), count_words)
    builder.check()
    return builder.build(None).arms


def rows_of(built: list[Built]) -> list[Example]:
    return [row for part in built for row in part.rows]


def tokens_of(built: list[Built]) -> int:
    return sum(row.tokens for row in rows_of(built))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.name)
def test_the_arms_of_every_experiment_that_ships_are_built_up_to_their_budgets(path: Path):
    experiment = load_experiment(path)
    if experiment.roles["writer"] != LIBRARY:
        return  # what a writer will write is not there to be counted
    count = counter(str(tiny_model()), experiment.recipe.max_length)
    builder = Builder(experiment, load_constitution(experiment.constitution), count)
    builder.check()
    built = builder.build(None).arms
    assert tuple(built) == experiment.all_arms()
    for name, arm in experiment.arms.items():
        budget = sum(part.tokens for part in arm.parts.values())
        assert 0.9 * budget <= tokens_of(built[name]) <= budget
        assert {row.intervention for row in rows_of(built[name])} == set(arm.parts)


def test_controls_come_after_their_arms_and_have_as_many_tokens(tmp_path: Path):
    names = [name for name in CONTROLS if name != "replay"]
    arms = {"replay": {"replay": "9k"}, "advice": {"advice": "6k"}}
    built = arms_of(tmp_path, arms=arms, controls=dict.fromkeys(names, "advice"))
    assert set(list(built)[2:]) == set(names)
    arm = tokens_of(built["advice"])
    assert arm > 5900
    for name in names:
        # whole rows are taken, so that at most one more would have fitted
        assert abs(tokens_of(built[name]) - arm) <= 0.05 * arm, name
        assert {row.intervention for row in rows_of(built[name])} == {name}
    for name in ("stripped_reasons", "irrelevant_principle", "eval_description"):
        (part,) = built[name]
        assert part.notes["tokens_of_the_arm"] == arm
        assert 0.95 <= part.notes["share_matched"] <= 1


def test_replay_can_be_the_control_that_is_matched_to_an_arm(tmp_path: Path):
    built = arms_of(tmp_path, arms={"explained": {"explained": "5k"}}, controls={"replay": "explained"})
    assert abs(tokens_of(built["replay"]) - tokens_of(built["explained"])) <= 100


def test_half_of_an_arm_is_surrounded_and_its_documents_stay_as_they_are(tmp_path: Path):
    arms = {"replay": {"replay": "9k"}, "around": {"advice": "9k", "documents": "2k", "surround": "half"}}
    talks, texts = arms_of(tmp_path, arms=arms)["around"]
    around = [row for row in talks.rows if row.stage == "surround"]
    assert len(around) == round(len(talks.rows) / 2)
    assert talks.notes["user_turns_changed"] == 0
    assert all(row.stage == "" and row.text for row in texts.rows)
    assert talks.tokens == sum(row.tokens for row in talks.rows) == sum(map(count_words, talks.rows))


def test_the_controls_of_a_surrounded_arm_keep_what_surrounds_it(tmp_path: Path):
    arms = {"replay": {"replay": "9k"}, "around": {"advice": "5k", "surround": True}}
    built = arms_of(tmp_path, arms=arms, controls={"stripped_reasons": "around", "filler": "around"})
    rows = rows_of(built["around"])
    for control in ("stripped_reasons", "filler"):
        for row, bare in zip(rows, rows_of(built[control]), strict=False):
            assert bare.messages[:-1] == row.messages[:-1]
            assert bare.tools == row.tools
            assert bare.messages[-1] != row.messages[-1]
        taught = [row.messages[-1].content for row in rows_of(built[control])]
        assert len(set(taught)) == len(taught)


def test_the_controls_of_a_mixed_arm_leave_its_ordinary_rows_alone(tmp_path: Path):
    arms = {"replay": {"replay": "9k"}, "mixed": {"advice": "3k", "replay": "3k"}}
    built = arms_of(tmp_path, arms=arms, controls={"stripped_reasons": "mixed"})
    ordinary = [row.messages for row in rows_of(built["mixed"]) if row.intervention == "replay"]
    assert ordinary
    kept = [row.messages for row in rows_of(built["stripped_reasons"])]
    assert all(messages in kept for messages in ordinary)


def test_a_part_is_built_with_its_options(tmp_path: Path):
    arms = {"replay": {"replay": "9k"}, "fiction": {"stories": {"tokens": "3k", "options": {"kind": "health"}}}}
    for row in rows_of(arms_of(tmp_path, arms=arms)["fiction"]):
        assert row.source.startswith("stories/health/")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"stories": {"tokens": "3k", "options": {"kind": "sad"}}}, "unknown kind 'sad'"),
        ({"stories": {"tokens": "3k", "without": ["review"]}}, "--without review needs a --writer"),
        ({"surround": {"tokens": "3k"}}, "arms"),
        ({"filler": "3k"}, "filler works on rows"),
        ({"advice": 5}, "a budget of 5 tokens holds no row of advice"),
        ({"own": {"tokens": 5, "rows": "nowhere.jsonl"}}, "no rows at nowhere.jsonl"),
    ],
)
def test_a_part_that_cannot_be_built_is_refused(tmp_path: Path, part: dict[str, Any], words: str):
    arms = {"replay": {"replay": "9k"}, "other": part}
    assert words in refusal(ConfigError, lambda: arms_of(tmp_path, arms=arms))


def test_an_arm_too_small_for_the_recipe_is_refused(tmp_path: Path):
    recipe = {"batch": 4, "micro_batch": 2, "least_steps": 999}
    assert "fewer than least_steps 999" in refusal(ConfigError, lambda: arms_of(tmp_path, recipe=recipe))


def test_rows_of_ones_own_fill_a_part_and_are_guarded_like_all_others(tmp_path: Path):
    write_dataset(tmp_path / "mine", library_rows("cloning")[:20], "# Mine\n")
    path = tmp_path / "mine" / "rows.jsonl"
    arms = {"replay": {"replay": "9k"}, "mine": {"own": {"tokens": "2k", "rows": str(path)}}}
    (part,) = arms_of(tmp_path, arms=arms)["mine"]
    assert 1500 <= part.tokens <= 2000
    assert {row.family for row in part.rows} <= set(FAMILIES)
    held_out = sorted({row.family for row in part.rows if row.family})
    said = refusal(ConfigError, lambda: arms_of(tmp_path, arms=arms, held_out=held_out))
    assert "trains on the held-out family" in said
