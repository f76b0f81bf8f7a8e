"""Weights in and out of torch: converting, loading, laying an adapter on, merging."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from teachwhy.core.errors import ModelError

if TYPE_CHECKING:  # whoever only counts tokens need not wait for all that this import brings
    from transformers import PreTrainedModel

TEMPLATE = Path(__file__).with_name("chat.jinja")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint; a small model without a tool template gets ours."""
    tokenizer: Any = cast("Any", AutoTokenizer).from_pretrained(folder)
    if "tools" not in (tokenizer.chat_template or ""):
        tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The causal language model of a checkpoint folder, safetensors only."""
    if not (folder / "config.json").exists():
        raise ModelError(f"{folder} holds no model: config.json is missing")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True)
    return model


def merge_adapter(base: Path, adapter: Path, out: Path) -> None:
    """Write ``base`` with a PEFT adapter merged in, as one plain checkpoint."""
    from peft import PeftModel

    merged: Any = PeftModel.from_pretrained(load_model(base), str(adapter))
    save_checkpoint(merged.merge_and_unload(), load_tokenizer(base), out)


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Path) -> None:
    """Write weights (fp32 safetensors) and tokenizer to ``out``, all or nothing."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".saving-") as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        if out.exists():
            shutil.rmtree(out)
        Path(scratch).replace(out)
        Path(scratch).mkdir()  # so that the context manager finds what it cleans up


def convert_gguf(gguf: Path, out: Path) -> None:
    """Convert a GGUF file to safetensors and a tokenizer folder, once."""
    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # transformers keeps believing in the quantised form that it has just undone
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)
    save_checkpoint(model, load_gguf_tokenizer(gguf), out)
    config = json.loads((out / "config.json").read_text())
    config["_name_or_path"] = "SmolLM2-135M-Instruct"
    (out / "config.json").write_text(json.dumps(config, indent=2))


def load_gguf_tokenizer(gguf: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that a GGUF file carries, with our chat template."""
    tokenizer: Any = cast("Any", AutoTokenizer).from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return tokenizer
