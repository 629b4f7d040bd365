"""A plain float64 forward pass over a checkpoint's own tensors, to check the exported module."""

import torch
from torch.nn import functional

from checkpoint import rope_table


def reference_logits(config, weights, tokens):
    """Logits float64 [S, vocabulary] of the token ids `tokens`, without a cache."""

    def weight(name):
        return weights[name].double()

    cos, sin = rope_table(config, len(tokens))
    x = weight("model.embed_tokens.weight")[torch.tensor(tokens)]
    for layer in range(config.layers):

        def of_layer(name, prefix=f"model.layers.{layer}."):
            return weight(f"{prefix}{name}.weight")

        normed = _norm(x, of_layer("input_layernorm"), config.norm_eps)
        q, k, v = (
            (normed @ of_layer(f"self_attn.{part}_proj").T).unflatten(-1, (-1, config.head_dim))
            for part in "qkv"
        )
        if config.has_qk_norm:
            q = _norm(q, of_layer("self_attn.q_norm"), config.norm_eps)
            k = _norm(k, of_layer("self_attn.k_norm"), config.norm_eps)
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        heads_first = [tensor.transpose(0, 1)[None] for tensor in (q, k, v)]
        attended = functional.scaled_dot_product_attention(
            *heads_first, is_causal=True, enable_gqa=True
        )
        attended = attended[0].transpose(0, 1).flatten(1)
        x = x + attended @ of_layer("self_attn.o_proj").T
        normed = _norm(x, of_layer("post_attention_layernorm"), config.norm_eps)
        gate = functional.silu(normed @ of_layer("mlp.gate_proj").T)
        x = x + (gate * (normed @ of_layer("mlp.up_proj").T)) @ of_layer("mlp.down_proj").T
    x = _norm(x, weight("model.norm.weight"), config.norm_eps)
    head = "model.embed_tokens.weight" if config.is_tied else "lm_head.weight"
    return x @ weight(head).T


def _norm(x, weight, eps):
    return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * weight


def _rotate(x, cos, sin):
    """Rotates [S, heads, D] in the pairs (i, i + D/2), as this layout orders them."""
    a, b = x.chunk(2, -1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)
