"""A language model as a program: caches inside, 4-bit weights, metadata methods."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from checkpoint import read_config, read_weights
from lowering import lower
from quantize import quantize_weights
from reference import reference_logits
from transformer import build_decoder

CHECK_TOKENS = 16


def export_llm(
    artifacts,
    folder,
    *,
    name=None,
    context=None,
    max_seq_len=None,
    group=32,
    rope=None,
    scales="affine",
    force_fp16=False,
    is_dynamic=True,
    prompt=None,
    greedy=8,
    check=True,
):
    """
    Writes `name`.pte (and the checkpoint's tokenizer.json) for a checkpoint folder.

    `context`: positions of the caches. `max_seq_len`: the most tokens of a run.
    `group`: values a scale, for linears and the embedding alike, so that a tied matrix is stored
    once. `rope`: "interleaved" or "half", by default what upstream does for the architecture.
    `prompt`: token ids; with them, writes the logits that the quantised module computes for the
    prompt and `greedy` tokens after it, each the last one's most likely successor.
    `check`: compares the module before quantisation with a float64 forward pass.
    """
    config, weights = read_config(folder), read_weights(folder)
    context = min(config.context, 2048) if context is None else context
    max_seq_len = context if max_seq_len is None else max_seq_len
    if not 3 <= max_seq_len <= context <= config.context:
        raise ValueError(
            f"llm: needs 3 <= max_seq_len ({max_seq_len}) <= context ({context})"
            f" <= the model's {config.context}"
        )
    rope = rope or ("half" if config.architecture == "qwen3" else "interleaved")
    name = name or f"{Path(folder).resolve().name}-4w"
    decoder = build_decoder(config, weights, context, rope, is_dynamic)
    if check:
        _check(decoder, config, weights, is_dynamic)
    del weights
    quantize_weights(decoder, nn.Embedding, group, scales)
    quantize_weights(decoder, nn.Linear, group, scales)

    parts, row = {}, {"rope": rope, "group": group, "context": context, "fp16": force_fp16}
    if prompt:
        logits, steps = run_greedily(decoder, prompt, greedy, is_dynamic)
        parts["logits"] = logits
        row = {"steps": steps, "vocab_out": config.vocabulary, "build": row}
    program = _lower(decoder, config, context, max_seq_len, is_dynamic, force_fp16)
    artifacts.write(name, program, parts, row)
    tokenizer = Path(folder) / "tokenizer.json"
    if tokenizer.exists():
        shutil.copyfile(tokenizer, artifacts.folder / f"{name}.tokenizer.json")


def _lower(decoder, config, context, max_seq_len, is_dynamic, force_fp16):
    tokens = torch.tensor([[2, 3, 4]] if is_dynamic else [[1]])
    shapes = None
    if is_dynamic:
        shapes = ({1: torch.export.Dim("token_dim", max=max_seq_len)}, None)
    decoder.clear_caches()
    return lower(
        decoder,
        (tokens, torch.zeros(1, dtype=torch.long)),
        dynamic_shapes=shapes,
        metadata=_metadata(config, context, max_seq_len, is_dynamic),
        force_fp16=force_fp16,
    )


def _metadata(config, context, max_seq_len, is_dynamic):
    metadata = {
        "get_max_seq_len": max_seq_len,
        "get_max_context_len": context,
        "get_n_layers": config.layers,
        "get_vocab_size": config.vocabulary,
        "use_kv_cache": True,
        "use_sdpa_with_kv_cache": True,
        "enable_dynamic_shape": is_dynamic,
    }
    if config.bos_id is not None:
        metadata["get_bos_id"] = config.bos_id
    if config.eos_ids:
        metadata["get_eos_ids"] = list(config.eos_ids)
    return metadata


@torch.no_grad()
def run_greedily(decoder, prompt, greedy, is_dynamic):
    """Logits [steps, vocabulary] and the steps taken, from an empty cache."""
    decoder.clear_caches()
    pending = [list(prompt)] if is_dynamic else [[token] for token in prompt]
    steps, logits, pos = [], [], 0
    total = len(pending) + greedy
    with _native_logs_dropped():
        while len(steps) < total:
            tokens = pending.pop(0) if pending else [int(logits[-1].argmax())]
            logits.append(decoder(torch.tensor([tokens]), torch.tensor([pos]))[0])
            steps.append({"tokens": tokens, "pos": pos})
            pos += len(tokens)
    return torch.stack(logits), steps


@contextmanager
def _native_logs_dropped():
    """The custom operators log several lines a call; what fails, they raise as exceptions."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check(decoder, config, weights, is_dynamic):
    """Raises `RuntimeError` where names, order of heads or RoPE were mapped wrongly."""
    generator = torch.Generator().manual_seed(1)
    count = min(CHECK_TOKENS, decoder.transformer.params.max_context_len - 1)
    tokens = torch.randint(config.vocabulary, (count,), generator=generator).tolist()
    expected = reference_logits(config, weights, tokens)
    logits, _ = run_greedily(decoder, tokens, 0, is_dynamic)
    logits = logits.double()
    expected = expected[-logits.shape[0] :]
    error = ((logits - expected).abs().max() / expected.abs().max()).item()
    print(f"unquantised logits differ from float64 by {error:.1e} of the largest")
    if error > 1e-4:
        raise RuntimeError("the module does not compute what the checkpoint says")
