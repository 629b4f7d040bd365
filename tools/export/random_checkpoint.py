"""A tiny checkpoint folder with random weights, in Hugging Face's layout."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

_COMMON = {
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "max_position_embeddings": 64,
    "attention_bias": False,
    "bos_token_id": 1,
}

CONFIGS = {
    "llama": {
        **_COMMON,
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "head_dim": 16,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        },
        "tie_word_embeddings": False,
        "eos_token_id": [2, 3],
    },
    # Heads wider than the model, as the real ones have.
    "qwen3": {
        **_COMMON,
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "head_dim": 32,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "eos_token_id": 2,
    },
}


def write_random_checkpoint(folder, architecture, seed=0):
    """Writes config.json and model.safetensors (f16)."""
    config = CONFIGS[architecture]
    generator = torch.Generator().manual_seed(seed)
    weights = {}

    def add(name, *shape, mean=0.0, deviation=0.12):
        values = torch.randn(*shape, generator=generator) * deviation + mean
        weights[f"{name}.weight"] = values.half()

    dim, hidden, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q_dim = config["num_attention_heads"] * head
    kv_dim = config["num_key_value_heads"] * head
    add("model.embed_tokens", config["vocab_size"], dim, deviation=1.0)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        add(f"{prefix}.self_attn.q_proj", q_dim, dim, deviation=0.2)
        add(f"{prefix}.self_attn.k_proj", kv_dim, dim, deviation=0.2)
        add(f"{prefix}.self_attn.v_proj", kv_dim, dim)
        add(f"{prefix}.self_attn.o_proj", dim, q_dim)
        add(f"{prefix}.mlp.gate_proj", hidden, dim)
        add(f"{prefix}.mlp.up_proj", hidden, dim)
        add(f"{prefix}.mlp.down_proj", dim, hidden)
        norms = {"input_layernorm": dim, "post_attention_layernorm": dim}
        if architecture == "qwen3":
            norms |= {"self_attn.q_norm": head, "self_attn.k_norm": head}
        for name, size in norms.items():
            add(f"{prefix}.{name}", size, mean=1.0)
    add("model.norm", dim, mean=1.0)
    if not config["tie_word_embeddings"]:
        add("lm_head", config["vocab_size"], dim)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf8")
    save_file(weights, folder / "model.safetensors")
