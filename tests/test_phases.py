"""What becomes of arms: what the experiment file says of it, the rows of the stress, and a run with all of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conftest import refusal
from teachwhy.constitution import load_constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Verdict
from teachwhy.core.store import read_lines
from teachwhy.lab.arms import Builder
from teachwhy.lab.counting import counter
from teachwhy.lab.experiment import Experiment, load_experiment
from teachwhy.lab.plan import print_plan
from teachwhy.lab.rl import read_input
from teachwhy.lab.run import run_experiment
from teachwhy.training import rl, sft
from tiny import tiny_model, write_experiment

pytestmark = pytest.mark.timeout(900)

RL = "{environments: [arithmetic], surround: [0, half], from: [cloning], recipe: {steps: 2, save_every: 1, \
prompts_a_step: 2, generations: 2, max_tokens: 8, least_mixed: 0, rank: 4}}"
STRESS = (
    "{from: [replay], wash_out: [1k], conflict: [2k], share: 0.2, methods: {lora: {}, full: {learning_rate: 1.0e-4}}}"
)


def read(tmp_path: Path, **lines: str) -> Experiment:
    return load_experiment(write_experiment(tmp_path, **lines))


def test_each_share_of_surrounded_prompts_is_a_phase_of_its_own(tmp_path: Path):
    phases = read(tmp_path, rl=RL).rl_phases()
    assert [(phase.name, phase.surround) for phase in phases] == [
        ("rl arithmetic", 0.0),
        ("rl arithmetic, half surrounded", 0.5),
    ]


def test_several_entries_and_environments_have_names_of_their_own(tmp_path: Path):
    both = "[{environments: [arithmetic, harmless], surround: true, from: [replay]}, \
{environments: [harmless], from: [replay], recipe: {method: full}}]"
    assert [phase.name for phase in read(tmp_path, rl=both).rl_phases()] == [
        "rl arithmetic + harmless, surrounded",
        "rl harmless (full)",
    ]


def test_the_stress_goes_method_by_method_and_dose_by_dose_with_the_recipe_of_the_arms(tmp_path: Path):
    stress = "{from: [replay], wash_out: [20k, 5k], conflict: [5k], methods: {lora: {}, full: {learning_rate: 2.0e-5}}}"
    experiment = read(tmp_path, stress=stress)
    phases = experiment.stress_phases()
    assert [(phase.name, phase.tokens) for phase in phases] == [
        ("wash-out", 5000),
        ("wash-out", 20000),
        ("conflict 2%", 5000),
        ("wash-out (full)", 5000),
        ("wash-out (full)", 20000),
        ("conflict 2% (full)", 5000),
    ]
    assert phases[0].recipe == experiment.recipe
    assert (phases[-1].recipe.method, phases[-1].recipe.learning_rate) == ("full", 2e-5)
    assert phases[-1].recipe.epochs == experiment.recipe.epochs


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ({"rl": "{environments: [arithmetic], from: [advise]}"}, ["rl: from", "advise"]),
        ({"rl": "{environments: [], from: [replay]}"}, ["environments"]),
        ({"rl": "{environments: [arithmetic]}"}, ["from"]),
        ({"rl": "{environments: [arithmetic], from: [replay], surround: most}"}, ["surround"]),
        ({"rl": "{environments: [arithmetic], from: [replay], recipe: {step: 3}}"}, ["step"]),
        ({"rl": f"[{RL}, {RL}]"}, ["two entries", "rl arithmetic"]),
        ({"stress": "{from: [replay]}"}, ["doses"]),
        ({"stress": "{from: [replay], wash_out: [many]}"}, ["wash_out"]),
        ({"stress": "{from: [replay], wash_out: [1k], methods: {half: {}}}"}, ["methods"]),
        ({"stress": "{from: [replay], wash_out: [1k], methods: {lora: {epoch: 2}}}"}, ["epoch"]),
        ({"stress": "{from: [replay], wash_out: [1k], share: 1.5}"}, ["share"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, lines: dict[str, str], words: list[str]):
    said = refusal(ConfigError, lambda: read(tmp_path, **lines))
    assert all(word in said for word in words), said


@pytest.mark.parametrize("after", ["advise", "second", "first"])
def test_an_arm_goes_on_from_one_that_stands_before_it(tmp_path: Path, after: str):
    arms = f"{{replay: {{replay: 1k}}, first: {{replay: 1k, after: {after}}}, second: {{replay: 1k}}}}"
    assert "after" in refusal(ConfigError, lambda: read(tmp_path, arms=arms))


def builder(experiment: Experiment) -> Builder:
    return Builder(experiment, load_constitution("default"), counter(str(tiny_model())))


def test_the_rows_of_the_stress_are_ordinary_and_a_few_conflict_as_marked(tmp_path: Path):
    rows = builder(read(tmp_path, stress=STRESS)).build(None).stress
    assert set(rows) == {"wash-out-1000", "conflict-0.2-2000"}
    (ordinary,), (mixed,) = rows["wash-out-1000"], rows["conflict-0.2-2000"]
    assert {row.intervention for row in ordinary.rows} == {"replay"}
    against = [row for row in mixed.rows if row.intervention == "conflict"]
    assert len(against) == round(0.2 * len(mixed.rows))
    assert {row.family for row in against} == {"leaking"}


def test_a_dose_larger_than_what_there_is_is_refused(tmp_path: Path):
    experiment = read(tmp_path, stress="{from: [replay], wash_out: [900k]}")
    assert "more than there is" in refusal(ConfigError, lambda: builder(experiment).build(None))


def test_surrounded_prompts_keep_their_ids_and_what_is_asked(tmp_path: Path):
    plain, around = (read_input(phase, load_constitution("default")) for phase in read(tmp_path, rl=RL).rl_phases())
    asked = [[turn.content for turn in prompt.messages if turn.role == "user"] for prompt in plain.prompts]
    assert asked == [[turn.content for turn in prompt.messages if turn.role == "user"] for prompt in around.prompts]
    assert [prompt.id for prompt in plain.prompts] == [prompt.id for prompt in around.prompts]
    changed = [one != other for one, other in zip(plain.prompts, around.prompts, strict=True)]
    assert sum(changed) == round(0.5 * len(changed))
    assert around.proof["user_turns_changed"] == 0
    assert around.proof["surrounded"] == sum(changed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in which an arm goes on from another, learns by RL, and another is stressed."""
    folder = tmp_path_factory.mktemp("phases")
    run_experiment(experiment_file(folder), folder / "out", Console(quiet=True), unfit=True)
    return folder / "out"


def experiment_file(folder: Path) -> Path:
    arms = "{replay: {replay: 1500}, cloning: {cloning: 1500, after: replay}}"
    measure = "{instruments: [likelihood], families: [framing]}"  # nothing is sampled, so that it is quick
    return write_experiment(folder, arms=arms, rl=RL, stress=STRESS, measure=measure)


def later(root: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    found = json.loads((root / "report" / "report.json").read_text("utf-8"))
    return {(one["arm"], one["phase"], one["step"]): one for one in found["later"]}


def test_every_checkpoint_of_every_phase_is_measured(whole: Path):
    stages = {path.name.rpartition("-")[0] for path in whole.glob("stages/measure-*")}
    phases = {name.removeprefix("measure-") for name in stages}
    assert {
        "rl-arithmetic-cloning-s0-1",
        "rl-arithmetic-cloning-s0-2",
        "rl-arithmetic-half-surrounded-cloning-s0-2",
        "wash-out-1000-replay-s0",
        "wash-out-full-1000-replay-s0",
        "conflict-20-2000-replay-s0",
        "conflict-20-full-2000-replay-s0",
    } <= phases
    for stage in whole.glob("stages/measure-*"):
        assert read_lines(stage / "verdicts.jsonl", Verdict), stage.name


def test_reinforcement_starts_from_the_arm_and_leaves_a_line_for_each_step(whole: Path):
    (stage,) = whole.glob("stages/rl-arithmetic-cloning-s0-*")
    inputs = json.loads((stage / "manifest.json").read_text("utf-8"))["inputs"]
    (trained,) = whole.glob("stages/train-cloning-s0-*")
    assert inputs["start"] == trained.name.rpartition("-")[2]
    lines = [json.loads(line) for line in (stage / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all({"reward", "kl", "length", "entropy"} <= line.keys() for line in lines)


def test_an_arm_that_comes_after_another_starts_from_it(whole: Path):
    (stage,) = whole.glob("stages/train-cloning-s0-*")
    inputs = json.loads((stage / "manifest.json").read_text("utf-8"))["inputs"]
    (before,) = whole.glob("stages/train-replay-s0-*")
    assert inputs["start"] == before.name.rpartition("-")[2]


def test_conflicting_rows_are_named_in_their_card(whole: Path):
    (stage,) = whole.glob("stages/build-conflict-0.2-2000-*")
    assert "contradict the constitution on purpose" in (stage / "card.md").read_text("utf-8")
    rows = read_lines(stage / "examples.jsonl", Example)
    assert any(row.intervention == "conflict" for row in rows)


def test_a_finished_run_does_nothing_anew_and_reports_the_same(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = (copy / "report" / "report.json").read_bytes()

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("work that was done already is done again")

    monkeypatch.setattr(rl, "train_rl", refuse)
    monkeypatch.setattr(sft, "train", refuse)
    run_experiment(experiment_file(tmp_path), copy, Console(quiet=True), unfit=True)
    assert (copy / "report" / "report.json").read_bytes() == before


def test_a_plan_names_every_arm_and_phase_and_what_could_be_found(tmp_path: Path):
    console = Console(record=True, width=200, quiet=False, file=(tmp_path / "said").open("w"))
    print_plan(experiment_file(tmp_path), console)
    said = console.export_text()
    for words in (
        "cloning",
        "after",
        "rl arithmetic, half surrounded",
        "wash-out",
        "conflict 20%",
        "held-out scenes: ",
    ):
        assert words in said, said
    assert f"{1 + 2 + 4 + 4} checkpoints" in said
    assert not (tmp_path / "runs").exists()
