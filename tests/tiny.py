"""A tiny Llama made in process, with SmolLM2's tokenizer: what the tests of models, training and the lab run on."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import LlamaConfig, LlamaForCausalLM

from teachwhy.core.records import Call, Example, Message, Tool
from teachwhy.lab.run import run_experiment
from teachwhy.models.catalogue import bundled_gguf
from teachwhy.models.weights import load_gguf_tokenizer, load_model, load_tokenizer, save_checkpoint
from teachwhy.training.recipe import Recipe
from teachwhy.training.tokens import encode
from teachwhy.worlds.opening import said

END = "<|im_end|>"
ENDINGS = ('"', END)
"""What the tiny model likes to say, so that its strings and its turns end."""

DOOR = Tool(name="set_door", does="access.set", about="Opens a door.", args={"door": ("north", "south"), "note": None})
POST = Tool(name="post", does="mail.send", about="Writes to somebody.", args={"to": None, "text": None})
SCHEMAS = (DOOR.schema_(), POST.schema_())

QUICK = Recipe(rank=4, alpha=8, learning_rate=1e-2, batch=2, micro_batch=2, epochs=2, least_steps=1, precision="fp32")
"""A recipe that moves the tiny model within seconds."""


@cache
def scratch_folder() -> Path:
    """A folder of this session, removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="teachwhy-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def tiny_model() -> Path:
    """The checkpoint folder: 2 layers of 64, tied embeddings, random weights that are the same in every session."""
    out = scratch_folder() / "tiny"
    tokenizer: Any = load_gguf_tokenizer(bundled_gguf())
    torch.manual_seed(20)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        initializer_range=0.08,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    model: Any = LlamaForCausalLM(config)
    _lean_towards_endings(model, tokenizer.convert_tokens_to_ids(list(ENDINGS)))
    save_checkpoint(model, tokenizer, out)
    return out


def _lean_towards_endings(model: Any, tokens: Sequence[int]) -> None:
    """Use the first dimension as a bias: no layer writes to it, and it is larger for these tokens alone.

    The values are exact in fp16.
    """
    with torch.no_grad():
        embedding = model.get_input_embeddings().weight.normal_(std=0.2)
        embedding[:, 0] = 2.0
        embedding[tokens, 0] = 2.25
        model.model.norm.weight[0] = 13.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0


def call_row(number: int) -> Example:
    """A training row that makes a call after a word about it."""
    call = Call(tool="set_door", args={"door": ("north", "south")[number % 2], "note": f"as {number} asked"})
    return Example(
        id=f"call-{number}",
        intervention="cloning",
        messages=(
            Message(role="system", content="You keep the doors."),
            Message(role="user", content=f"This is number {number}. Let me in."),
            said(call, "I open it."),
        ),
        tools=SCHEMAS,
        family="leaking",
        writer="us",
        source="tiny.py",
    )


def chat_row(number: int, words: str = "It is half past.") -> Example:
    """A training row without tools."""
    asked = Message(role="user", content=f"What time is it, number {number}?")
    answer = Message(role="assistant", content=words)
    return Example(id=f"chat-{number}", intervention="replay", messages=(asked, answer), writer="us", source="tiny.py")


def rows(count: int) -> list[Example]:
    """Rows of both kinds, in turn."""
    return [chat_row(number) if number % 2 else call_row(number) for number in range(count)]


def masked_loss(folder: Path, examples: Sequence[Example]) -> float:
    """The loss in nats a trained token, reckoned row by row, apart from any trainer."""
    model: Any = load_model(folder)
    tokenizer = load_tokenizer(folder)
    told: list[float] = []
    for example in examples:
        coded = encode(example, tokenizer, 4096)
        with torch.inference_mode():
            logs = model(input_ids=torch.tensor([coded["input_ids"]])).logits[0].log_softmax(-1)
        told += [float(logs[at - 1, token]) for at, token in enumerate(coded["labels"]) if token >= 0 and at]
    return -sum(told) / len(told)


EXPERIMENT = """\
name: tiny
start: {{model: {model}}}
held_out: [framing, blackmail]
families: [leaking]
arms:
  replay: {{replay: 1500}}
  cloning: {{cloning: 1500}}
control: replay
recipe: {{rank: 4, alpha: 8, batch: 2, micro_batch: 1, epochs: 2, least_steps: 2, save_every: 1, learning_rate: 1.0e-3}}
measure: {{instruments: [decision, likelihood], families: [framing]}}
"""


def write_experiment(folder: Path, model: Path | str | None = None, **lines: str) -> Path:
    """An experiment file on the tiny model; ``lines`` replace the line of the same key, or are added."""
    text = EXPERIMENT.format(model=tiny_model() if model is None else model)
    for key, line in lines.items():
        kept = re.sub(rf"^{key}:.*\n(?: .*\n)*", "", text, flags=re.MULTILINE)
        text = f"{kept}{key}: {line}\n"
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@cache
def finished_run() -> Path:
    """The folder of a whole run of the experiment, unfit start and all; tests may read it and must not write in it."""
    folder = scratch_folder() / "run"
    folder.mkdir()
    run_experiment(write_experiment(folder), folder / "out", Console(quiet=True), unfit=True)
    return folder / "out"
