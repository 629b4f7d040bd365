"""A checkpoint as ExecuTorch's own Llama module, whose graph the Vulkan backend recognises."""

import torch
from executorch.examples.models.llama.llama_transformer import construct_transformer
from executorch.examples.models.llama.model_args import ModelArgs
from executorch.examples.models.llama.source_transformation.custom_kv_cache import CustomKVCache
from executorch.examples.models.llama.source_transformation.sdpa import replace_sdpa_with_custom_op
from torch import nn

from checkpoint import rope_table

_NAMES = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "self_attn.q_norm": "attention.q_norm_fn",
    "self_attn.k_norm": "attention.k_norm_fn",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
}

_ROTATED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.q_norm", "self_attn.k_norm")


class Decoder(nn.Module):
    """tokens i64 [1, S], input_pos i64 [1] → logits of the last token [1, vocabulary]."""

    def __init__(self, transformer):
        super().__init__()
        self.transformer = transformer

    def forward(self, tokens, input_pos):
        return self.transformer(tokens, {"input_pos": input_pos})

    def clear_caches(self):
        for layer in self.transformer.layers:
            layer.attention.kv_cache.k_cache.zero_()
            layer.attention.kv_cache.v_cache.zero_()


def build_decoder(config, weights, context, rope, is_dynamic):
    """
    The module in float32, with caches of `context` positions.

    `rope` is "interleaved" (rotates the pairs 2i, 2i + 1: rows of q and k are reordered, which
    leaves all dot products as they are) or "half" (rotates i, i + D/2, as the checkpoint has them).
    """
    # Upstream allocates a mask of context² bytes a layer, which the custom operators never read:
    # build for a short context, then put the right sizes in place.
    args = ModelArgs(
        dim=config.dim,
        hidden_dim=config.hidden_dim,
        n_layers=config.layers,
        n_heads=config.heads,
        n_kv_heads=config.kv_heads,
        head_dim=config.head_dim,
        vocab_size=config.vocabulary,
        norm_eps=config.norm_eps,
        max_seq_len=2,
        max_context_len=2,
        use_kv_cache=True,
        use_sdpa_with_kv_cache_op=True,
        enable_dynamic_shape=is_dynamic,
        use_qk_norm=config.has_qk_norm,
        qk_norm_before_rope=True,
        use_hf_rope=rope == "half",
    )
    with torch.device("meta"):
        transformer = construct_transformer(args)
    state = _rename(config, weights, reorder=rope == "interleaved")
    transformer.load_state_dict(state, strict=False, assign=True)
    _set_context(transformer, config, context, rope)
    left = [name for name, value in transformer.named_parameters() if value.is_meta]
    if left:
        raise ValueError(f"checkpoint: no tensor for {', '.join(left)}")
    return Decoder(replace_sdpa_with_custom_op(transformer)).eval()


def _set_context(transformer, config, context, rope):
    tables = [table.float() for table in rope_table(config, context)]
    if rope == "half":
        tables = [torch.cat([table, table], -1) for table in tables]
    transformer.rope.freqs_cos, transformer.rope.freqs_sin = tables
    transformer.params.max_context_len = context
    # Never read; without memory of its own.
    mask = torch.ones(1, 1, dtype=torch.bool).expand(context, context)
    for layer in transformer.layers:
        attention = layer.attention
        attention.max_context_len = context
        attention.mask = mask
        attention.kv_cache = CustomKVCache(1, context, config.kv_heads, config.head_dim)


def _rename(config, weights, reorder):
    """Upstream's parameter names. Raises `ValueError` for tensors that have no place."""
    state = {}
    for name, tensor in weights.items():
        if name == "model.embed_tokens.weight":
            state["tok_embeddings.weight"] = tensor
        elif name == "model.norm.weight":
            state["norm.weight"] = tensor
        elif name == "lm_head.weight":
            state["output.weight"] = tensor
        elif not name.endswith("rotary_emb.inv_freq"):
            layer, part = _split_name(name)
            if reorder and part in _ROTATED:
                tensor = _interleave(tensor, config.head_dim)
            state[f"layers.{layer}.{_NAMES[part]}.weight"] = tensor
    if config.is_tied:
        state["output.weight"] = state["tok_embeddings.weight"].clone()
    return {name: nn.Parameter(tensor, requires_grad=False) for name, tensor in state.items()}


def _split_name(name):
    prefix, _, rest = name.partition("model.layers.")
    layer, _, part = rest.removesuffix(".weight").partition(".")
    if prefix or not name.endswith(".weight") or not layer.isdigit() or part not in _NAMES:
        raise ValueError(f'checkpoint: tensor "{name}" is not supported')
    return layer, part


def _interleave(tensor, head_dim):
    """Row i of a head goes to 2i, row i + D/2 to 2i + 1; also for a norm's vector of one head."""
    heads = tensor.unflatten(0, (-1, 2, head_dim // 2))
    return heads.transpose(1, 2).flatten(0, 2).contiguous()
