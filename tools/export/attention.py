"""Attention over a key/value cache as a program: `sdpa_with_kv_cache`."""

import torch
from executorch.extension.llm.custom_ops import custom_ops  # noqa: F401  registers llama::*
from torch import nn

from lowering import lower


class CachedAttention(nn.Module):
    """Attention whose caches [1, Cmax, Hkv, D] are buffers of the program."""

    def __init__(self, Hkv, D, Cmax, scale):
        super().__init__()
        self.scale = scale
        self.register_buffer("k_cache", torch.zeros(1, Cmax, Hkv, D))
        self.register_buffer("v_cache", torch.zeros(1, Cmax, Hkv, D))

    def forward(self, q, k, v, input_pos):
        """q [1, S, Hq, D], k and v [1, S, Hkv, D], input_pos i64 [1] → [1, S, Hq, D]."""
        position = input_pos[0].item()
        torch._check_is_size(position)
        torch._check(position < self.k_cache.size(1))
        return torch.ops.llama.sdpa_with_kv_cache(
            q, k, v, self.k_cache, self.v_cache, position, q.shape[1], None, 0.0, True, self.scale
        )


def export_attention(artifacts, Hq, Hkv, D, Cmax, steps, scale=None, seed=0):
    """
    Writes a program and the rows of all steps (`steps`: rows of each, in order from position 0).
    Steps of one row each make a program of fixed shape, others one with a dynamic sequence.
    Golden: torch's scaled_dot_product_attention in float64 over the whole sequence.
    """
    total = sum(steps)
    if total > Cmax:
        raise ValueError(f"attention: {total} rows do not fit a cache of {Cmax}")
    if Hq % Hkv or D % 4:
        raise ValueError(f"attention: {Hq} heads on {Hkv}, head dimension {D} (multiple of 4)")
    torch.manual_seed(seed)
    q, k, v = (torch.randn(1, total, heads, D) for heads in (Hq, Hkv, Hkv))
    golden = _golden(q, k, v, scale)

    is_dynamic = any(rows != 1 for rows in steps)
    S = 3 if is_dynamic else 1
    inputs = (q[:, :S], k[:, :S], v[:, :S], torch.zeros(1, dtype=torch.long))
    rows = torch.export.Dim("rows", max=Cmax) if is_dynamic else None
    shapes = ({1: rows}, {1: rows}, {1: rows}, None) if is_dynamic else None
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        module = CachedAttention(Hkv, D, Cmax, scale).eval()
        program = lower(module, inputs, dynamic_shapes=shapes)

    positions = [sum(steps[:index]) for index in range(len(steps))]
    name = f"sdpa_gqa{Hq}_{Hkv}_d{D}_c{Cmax}_{'dyn' if is_dynamic else 'step'}"
    row = {
        "op": "sdpa_with_kv_cache",
        **{"Hq": Hq, "Hkv": Hkv, "D": D, "Cmax": Cmax, "scale": scale, "seed": seed},
        "dynamic_S": is_dynamic,
        "cache": "in graph",
        "steps": [{"S": rows, "pos": pos} for rows, pos in zip(steps, positions)],
    }
    artifacts.write(name, program, {"in0": q, "in1": k, "in2": v, "out0": golden}, row)


def _golden(q, k, v, scale):
    heads_first = [tensor.double().transpose(1, 2) for tensor in (q, k, v)]
    attended = nn.functional.scaled_dot_product_attention(
        *heads_first, is_causal=True, scale=scale, enable_gqa=True
    )
    return attended.transpose(1, 2)
