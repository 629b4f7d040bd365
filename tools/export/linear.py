"""One 4-bit linear as a program: `et_vk.linear_q4gsw`."""

import torch
from torch import nn

from lowering import lower
from quantize import quantize_weights


def export_linear(artifacts, M, K, N, group, bias, seed=0):
    """
    Writes a program for x [M, K] → x·Wᵀ (+ b) [M, N] with random W in groups of `group`, the
    input, and the product in float64 with the dequantised weight, rounded to float32.
    """
    torch.manual_seed(seed)
    module = nn.Linear(K, N, bias=bias).eval()
    quantize_weights(module, nn.Linear, group)
    x = torch.randn(M, K)
    golden = x.double() @ module.weight.dequantize().double().T
    if bias:
        golden = golden + module.bias.double()
    name = f"q4{'_bias' if bias else ''}_{M}x{K}x{N}_g{group}"
    row = {"M": M, "K": K, "N": N, "group": group, "bias": bias}
    artifacts.write(name, lower(module, (x,)), {"in0": x, "out0": golden}, row)
