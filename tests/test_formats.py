"""The rows in the hands of those who read them: datasets, TRL, axolotl, and verl's reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import datasets
import pandas as pd
import pytest

from conftest import refusal
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Message
from teachwhy.interventions.library.shelf import act_row, advice_dialogues, stories, training_scenes
from teachwhy.lab.dataset import read_examples, to_row, write_dataset
from teachwhy.lab.export import export
from teachwhy.models.weights import load_tokenizer
from teachwhy.training.tokens import IGNORED, encode
from tiny import tiny_model

READER: Any = datasets
CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: rows.parquet\n---\n# Rows\n"


def agent_rows() -> list[Example]:
    scenes = training_scenes(["leaking", "falsified_records"])[:6]
    return [act_row(scene, 0, intervention="explained", reasons=scene.reasons[0]) for scene in scenes]


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chats")
    write_dataset(folder, [*agent_rows(), *advice_dialogues()[:6]], CARD)
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    write_dataset(folder, stories("Ada", "its makers")[:4], CARD)
    return folder


def load(path: Path) -> Any:
    return READER.load_dataset(str(path), split="train", cache_dir=str(path / ".cache"))


def load_rows(path: Path) -> list[dict[str, Any]]:
    loaded = load(path)
    return [dict(row) for row in loaded]


def test_datasets_reads_the_folder_by_its_card_and_finds_every_row_as_it_was(chats: Path):
    expected = [to_row(example) for example in read_examples(chats)]
    assert load_rows(chats) == expected
    lines = [json.loads(line) for line in (chats / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == expected


def test_no_call_carries_the_arguments_of_another(chats: Path):
    found = [
        entry["function"]["arguments"]
        for row in load_rows(chats)
        for turn in row["messages"]
        for entry in turn.get("tool_calls", [])
    ]
    assert len(found) >= 10
    assert not any(value is None for arguments in found for value in arguments.values())


def test_trl_trains_on_the_chats_as_they_are(chats: Path, tmp_path: Path):
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    config = SFTConfig(
        output_dir=str(tmp_path),
        max_steps=1,
        per_device_train_batch_size=2,
        assistant_only_loss=True,
        max_length=2048,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=str(tiny_model()), args=config, train_dataset=load(chats), processing_class=load_tokenizer(tiny_model())
    )
    ours = [encode(example, load_tokenizer(tiny_model()), 2048) for example in read_examples(chats)]
    theirs = cast("Any", trainer).train_dataset
    assert [row["input_ids"] for row in theirs] == [row["input_ids"] for row in ours]
    assert [row["labels"] for row in theirs] == [row["labels"] for row in ours]
    assert trainer.train().global_step == 1


def test_trl_trains_on_the_texts_as_they_are(texts: Path, tmp_path: Path):
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    config = SFTConfig(output_dir=str(tmp_path), max_steps=1, report_to=[], use_cpu=True, disable_tqdm=True)
    trainer = SFTTrainer(
        model=str(tiny_model()), args=config, train_dataset=load(texts), processing_class=load_tokenizer(tiny_model())
    )
    assert trainer.train().global_step == 1


def test_axolotl_reads_turns_calls_and_tools_as_they_are(chats: Path):
    from axolotl.prompt_strategies.chat_template import ChatTemplatePrompter, ChatTemplateStrategy

    tokenizer: Any = load_tokenizer(tiny_model())
    prompter: Any = ChatTemplatePrompter(tokenizer, chat_template=tokenizer.chat_template, max_length=4096)
    # as its loader makes it where a config says no more than the path and chat_template
    strategy: Any = ChatTemplateStrategy(
        prompter, tokenizer, train_on_inputs=False, sequence_len=4096, roles_to_train=["assistant"], train_on_eos="turn"
    )
    for row, example in zip(load_rows(chats), read_examples(chats), strict=True):
        tokenized = strategy.tokenize_prompt(row)
        ours = encode(example, tokenizer, 4096)
        assert tokenized["input_ids"] == ours["input_ids"]
        last = example.messages[-1]
        trained = tokenizer.decode([token for token in tokenized["labels"] if token != IGNORED])
        assert (last.content or last.tool_calls[0]["function"]["name"]) in trained


def test_verl_finds_its_columns(chats: Path, tmp_path: Path):
    out = tmp_path / "verl" / "train.parquet"
    assert export(chats, "verl", out) == 12
    # as verl reads it: by pandas for supervised training, by datasets for reinforcement learning
    frame = pd.read_parquet(out)
    assert list(frame.columns) == ["data_source", "prompt", "messages", "ability", "reward_model", "extra_info"]
    loaded: Any = READER.load_dataset("parquet", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    rows: list[dict[str, Any]] = [dict(row) for row in loaded]
    for row, example in zip(rows, read_examples(chats), strict=True):
        assert [turn["content"] for turn in row["messages"]] == [turn.content for turn in example.messages]
        assert row["prompt"] == row["messages"][:-1]
        assert row["reward_model"] == {"style": "rule", "ground_truth": example.messages[-1].content}
        assert json.loads(row["extra_info"]["tools"]) == list(example.tools)
        for turn, ours in zip(row["messages"], example.messages, strict=True):
            calls: list[Any] = turn["tool_calls"] or []
            made = [json.loads(entry["function"]["arguments"]) for entry in calls]
            assert made == [entry["function"]["arguments"] for entry in ours.tool_calls]


def test_a_prompt_without_an_answer_becomes_a_row_for_reinforcement_learning(tmp_path: Path):
    asked = (Message(role="user", content="How long do I boil an egg?"),)
    row = Example(id="p", intervention="own", messages=asked, writer="w", source="s")
    assert "prompt" in to_row(row)
    write_dataset(tmp_path / "in", [row], CARD)
    assert read_examples(tmp_path / "in" / "rows.jsonl")[0].messages == asked
    export(tmp_path / "in", "verl", tmp_path / "out.parquet")
    frame: Any = pd.read_parquet(tmp_path / "out.parquet")
    assert frame["reward_model"][0]["ground_truth"] == ""


@pytest.mark.parametrize(
    ("form", "name", "words"),
    [("axolotl", "o.parquet", "unknown form"), ("verl", "o.jsonl", "end in .parquet")],
)
def test_what_cannot_be_exported_is_refused_in_one_line(chats: Path, tmp_path: Path, form: str, name: str, words: str):
    assert words in refusal(ConfigError, lambda: export(chats, form, tmp_path / name))
    assert not (tmp_path / name).exists()


def test_documents_are_not_exported_to_a_trainer_of_chats(texts: Path, tmp_path: Path):
    assert "is a document" in refusal(ConfigError, lambda: export(texts, "verl", tmp_path / "o.parquet"))
    assert not (tmp_path / "o.parquet").exists()
