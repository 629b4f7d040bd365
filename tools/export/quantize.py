"""4-bit group-wise symmetric weights by torchao, for linears and embeddings."""

import torch
from torch import nn
from torchao.quantization.granularity import PerGroup
from torchao.quantization.quant_api import IntxWeightOnlyConfig, quantize_

ALGORITHMS = {"affine": "affine", "hqq": "hqq_scale_only"}


def quantize_weights(module, kind, group, algorithm="affine"):
    """
    Quantises the weights of all submodules of type `kind` (`nn.Linear` or `nn.Embedding`) in
    place: rows are cut into groups of `group` values, each with one float32 scale.

    Raises `ValueError` for shapes that the backend's 4-bit operators do not take.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f'scales "{algorithm}" are not known; known: {", ".join(ALGORITHMS)}')
    for name, child in module.named_modules():
        if isinstance(child, kind):
            _check_shape(name or type(child).__name__, child.weight.shape, kind, group)
    config = IntxWeightOnlyConfig(
        weight_dtype=torch.int4,
        granularity=PerGroup(group),
        intx_choose_qparams_algorithm=ALGORITHMS[algorithm],
    )
    quantize_(module, config, lambda child, _: isinstance(child, kind))
    return module


def _check_shape(name, shape, kind, group):
    rows, columns = shape
    if group < 4 or group % 4:
        raise ValueError(f"{name}: groups of {group}; must be a multiple of 4")
    if columns % group:
        raise ValueError(f"{name}: {columns} columns are not a multiple of the group, {group}")
    if kind is nn.Embedding and columns % 32:
        raise ValueError(f"{name}: {columns} columns; an embedding needs a multiple of 32")
    if kind is nn.Linear and rows % 4:
        raise ValueError(f"{name}: {rows} outputs; the exporter needs a multiple of 4")
