"""Exports ExecuTorch programs that Tetrad runs: `export.py linear | attention | llm | fixtures`."""

import argparse
import logging
import warnings


def main():
    options = _parser().parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    # Imported late: `--help` should not wait for torch.
    from artifacts import Artifacts

    artifacts = Artifacts(options.out)
    try:
        options.run(artifacts, options)
    except (ValueError, RuntimeError) as error:
        raise SystemExit(f"error: {error}") from error


def _parser():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, run, help):
        command = commands.add_parser(name, help=help, description=help)
        command.add_argument("--out", required=True, metavar="FOLDER", help="where files go")
        command.set_defaults(run=run)
        return command

    _add_linear(add("linear", _linear, "One 4-bit linear."))
    _add_attention(add("attention", _attention, "Attention over a key/value cache."))
    _add_llm(add("llm", _llm, "A Llama or Qwen3 checkpoint folder of Hugging Face's layout."))
    add("fixtures", _fixtures, "The programs of Tetrad's tests.")
    return parser


def _add_linear(command):
    for name, text in (("M", "rows of x"), ("K", "columns of x"), ("N", "columns of the product")):
        command.add_argument(f"-{name}", type=int, required=True, help=text)
    command.add_argument("--group", type=int, default=32, help="weights a scale (default 32)")
    command.add_argument("--bias", action="store_true")
    command.add_argument("--seed", type=int, default=0)


def _linear(artifacts, options):
    from linear import export_linear

    o = options
    export_linear(artifacts, o.M, o.K, o.N, o.group, o.bias, o.seed)


def _add_attention(command):
    command.add_argument("--heads", type=int, required=True, help="query heads")
    command.add_argument("--kv-heads", type=int, required=True)
    command.add_argument("--head-dim", type=int, required=True)
    command.add_argument("--context", type=int, required=True, help="positions of the cache")
    command.add_argument(
        "--steps", type=_numbers, default=[1, 1, 1], help="rows of each step, such as 5,1,1"
    )
    command.add_argument("--scale", type=float, help="default 1/sqrt(head dimension)")
    command.add_argument("--seed", type=int, default=0)


def _attention(artifacts, options):
    from attention import export_attention

    o = options
    export_attention(
        artifacts, o.heads, o.kv_heads, o.head_dim, o.context, o.steps, o.scale, o.seed
    )


def _add_llm(command):
    command.add_argument("folder", help="config.json, *.safetensors, tokenizer.json")
    command.add_argument("--name", help="default: the folder's name and -4w")
    command.add_argument(
        "--context", type=int, help="positions of the caches (default: the model's, at most 2048)"
    )
    command.add_argument(
        "--max-seq-len", type=int, help="most tokens a run (default: context)"
    )
    command.add_argument("--group", type=int, default=32, help="weights a scale (default 32)")
    command.add_argument(
        "--rope",
        choices=("interleaved", "half"),
        help="pairs that are rotated (default: interleaved for llama, half for qwen3)",
    )
    command.add_argument("--scales", choices=("affine", "hqq"), default="affine")
    command.add_argument("--fp16", action="store_true", help="f16 constants and activations")
    command.add_argument("--static", action="store_true", help="one token a run, no other length")
    command.add_argument("--prompt", type=_numbers, help="token ids to write golden logits for")
    command.add_argument("--greedy", type=int, default=8, help="tokens after the prompt")
    command.add_argument(
        "--no-check", action="store_true", help="skip the comparison with a float64 forward pass"
    )


def _llm(artifacts, options):
    from llm import export_llm

    export_llm(
        artifacts,
        options.folder,
        name=options.name,
        context=options.context,
        max_seq_len=options.max_seq_len,
        group=options.group,
        rope=options.rope,
        scales=options.scales,
        force_fp16=options.fp16,
        is_dynamic=not options.static,
        prompt=options.prompt,
        greedy=options.greedy,
        check=not options.no_check,
    )


def _fixtures(artifacts, _):
    from fixtures import export_fixtures

    export_fixtures(artifacts)


def _numbers(text):
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
