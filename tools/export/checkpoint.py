"""A Hugging Face checkpoint folder: `config.json` and safetensors, read without transformers."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

ARCHITECTURES = ("llama", "qwen3")


@dataclass(frozen=True)
class Config:
    """What the exporter needs of `config.json` and `generation_config.json`."""

    architecture: str
    dim: int
    hidden_dim: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context: int
    norm_eps: float
    rope_theta: float
    rope_scaling: dict | None
    is_tied: bool
    bos_id: int | None
    eos_ids: tuple[int, ...]

    @property
    def has_qk_norm(self):
        return self.architecture == "qwen3"


def read_config(folder):
    """Raises `ValueError` where the model is of a kind that is not supported, naming it."""
    path = Path(folder) / "config.json"
    data = json.loads(path.read_text("utf8"))
    generation = Path(folder) / "generation_config.json"
    ends = json.loads(generation.read_text("utf8")) if generation.exists() else {}
    _refuse_unsupported(path, data)
    heads = data["num_attention_heads"]
    parameters = data.get("rope_parameters") or {}
    scaling = data.get("rope_scaling") or parameters or None
    if scaling is not None and _rope_type(scaling) == "default":
        scaling = None
    eos = ends.get("eos_token_id", data.get("eos_token_id"))
    return Config(
        architecture=data["model_type"],
        dim=data["hidden_size"],
        hidden_dim=data["intermediate_size"],
        layers=data["num_hidden_layers"],
        heads=heads,
        kv_heads=data.get("num_key_value_heads", heads),
        head_dim=data.get("head_dim") or data["hidden_size"] // heads,
        vocabulary=data["vocab_size"],
        context=data["max_position_embeddings"],
        norm_eps=data["rms_norm_eps"],
        rope_theta=data.get("rope_theta", parameters.get("rope_theta", 10000.0)),
        rope_scaling=scaling,
        is_tied=data.get("tie_word_embeddings", False),
        bos_id=ends.get("bos_token_id", data.get("bos_token_id")),
        eos_ids=tuple(eos) if isinstance(eos, list) else () if eos is None else (eos,),
    )


def _rope_type(scaling):
    return scaling.get("rope_type", scaling.get("type", "default"))


def _refuse_unsupported(path, data):
    kind = data.get("model_type")
    if kind not in ARCHITECTURES:
        supported = ", ".join(ARCHITECTURES)
        raise ValueError(f'{path}: model type "{kind}" is not supported; supported: {supported}')
    for key in ("attention_bias", "mlp_bias", "use_sliding_window"):
        if data.get(key):
            raise ValueError(f"{path}: {key} is not supported")
    if data.get("hidden_act", "silu") != "silu":
        raise ValueError(f'{path}: activation "{data["hidden_act"]}" is not supported, only silu')


def read_weights(folder):
    """All tensors by name, as float32. Raises `ValueError` where the folder has none."""
    files = sorted(Path(folder).glob("*.safetensors"))
    index = Path(folder) / "model.safetensors.index.json"
    if index.exists():
        shards = json.loads(index.read_text("utf8"))["weight_map"].values()
        files = sorted(Path(folder) / shard for shard in set(shards))
    if not files:
        raise ValueError(f"{folder}: no .safetensors file")
    weights = {}
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                weights[name] = file.get_tensor(name).float()
    return weights


def rope_frequencies(config):
    """Radians a position, float64 [head_dim / 2]; scaling of the kinds "llama3" and "linear"."""
    half = config.head_dim // 2
    frequencies = config.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    kind, factor = _rope_type(scaling), scaling.get("factor", 1.0)
    if kind == "linear":
        return frequencies / factor
    if kind != "llama3":
        raise ValueError(f'RoPE scaling "{kind}" is not supported; supported: llama3, linear')
    # Turns within the original context: few of them → scaled down, many → kept, a ramp between.
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return frequencies * (kept + (1 - kept) / factor)


def rope_table(config, positions):
    """(cos, sin) float64 [positions, head_dim / 2]."""
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), rope_frequencies(config))
    return angles.cos(), angles.sin()
