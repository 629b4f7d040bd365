"""The programs that the tests read, each small; the same ones at every run."""

import tempfile
from pathlib import Path

from attention import export_attention
from linear import export_linear
from llm import export_llm
from random_checkpoint import write_random_checkpoint

PROMPT = (3, 17, 5, 99, 42)


def export_fixtures(artifacts):
    export_linear(artifacts, M=1, K=96, N=40, group=32, bias=False, seed=11)
    export_linear(artifacts, M=7, K=128, N=36, group=64, bias=True, seed=12)
    export_attention(artifacts, Hq=4, Hkv=2, D=16, Cmax=24, steps=[1] * 12, seed=21)
    export_attention(
        artifacts, Hq=6, Hkv=2, D=32, Cmax=24, steps=[5, 1, 1, 7, 10], scale=0.25, seed=22
    )
    with tempfile.TemporaryDirectory() as scratch:
        for seed, architecture in ((31, "llama"), (32, "qwen3")):
            folder = Path(scratch) / architecture
            write_random_checkpoint(folder, architecture, seed)
            shared = {"context": 32, "prompt": PROMPT}
            export_llm(artifacts, folder, name=f"{architecture}_tiny_4w", **shared)
            if architecture == "qwen3":
                name = "qwen3_tiny_4w_interleaved"
                export_llm(artifacts, folder, name=name, rope="interleaved", **shared)
