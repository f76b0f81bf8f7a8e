"""A checkpoint as one GGUF file, the form that the CPU sampler reads: weights as trained, nothing at run time."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from safetensors import safe_open

from teachwhy.core.errors import ModelError

_LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_TOP = {"embed_tokens": "token_embd.weight", "norm": "output_norm.weight"}
_TOKENIZER = ("tokenizer.", "general.quantization_version", "general.name", "general.license")


def write_gguf(checkpoint: Path, tokenizer_of: Path, out: Path) -> None:
    """Write a Llama-shaped checkpoint as fp16 GGUF, with the tokenizer of the GGUF file ``tokenizer_of``.

    Raises ModelError for another architecture, or a vocabulary of another size.
    """
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    reader = _open(tokenizer_of)
    _check(config, reader, checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = out.with_suffix(".part")
    writer = GGUFWriter(scratch, "llama")
    _write_settings(config, writer)
    for field in reader.fields.values():
        if field.name.startswith(_TOKENIZER):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    with cast("Any", safe_open)(str(checkpoint / "model.safetensors"), framework="numpy") as weights:
        for name in list(weights.keys()):
            writer.add_tensor(*_tensor(name, weights.get_tensor(name), config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    scratch.replace(out)


@cache
def _open(file: Path) -> GGUFReader:
    """Opened once a process: its hundreds of thousands of fields take seconds to read."""
    return GGUFReader(file)


def _check(config: dict[str, Any], reader: GGUFReader, checkpoint: Path) -> None:
    shape = config.get("architectures", ["unknown"])[0]
    tokens = len(reader.fields["tokenizer.ggml.tokens"].data)
    if shape != "LlamaForCausalLM" or config["vocab_size"] != tokens:
        raise ModelError(
            f"{checkpoint} is a {shape} with {config.get('vocab_size')} tokens; the CPU sampler takes a "
            f"LlamaForCausalLM with SmolLM2's {tokens}; sample others by Inspect's own providers, hf/ or vllm/"
        )


def _write_settings(config: dict[str, Any], writer: GGUFWriter) -> None:
    heads = config["num_attention_heads"]
    writer.add_file_type(1)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_vocab_size(config["vocab_size"])


def _tensor(name: str, array: np.ndarray, config: dict[str, Any]) -> tuple[str, np.ndarray]:
    _, *path, _ = name.split(".")
    in_layer = path[0] == "layers"
    target = f"blk.{path[1]}.{_LAYER['.'.join(path[2:])]}.weight" if in_layer else _TOP[path[0]]
    array = array.astype(np.float32)
    if target.endswith("attn_q.weight"):
        array = _permute(array, config["num_attention_heads"])
    elif target.endswith("attn_k.weight"):
        array = _permute(array, config["num_key_value_heads"])
    return target, array if "norm" in target else array.astype(np.float16)


def _permute(array: np.ndarray, heads: int) -> np.ndarray:
    """Llama's rotary pairs stand side by side in GGUF, half a head apart in safetensors."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
