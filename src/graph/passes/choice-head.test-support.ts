/** Graphs of a vocabulary's projection with the sampler after it, for tests of what fuses the two. */
import type { Graph, Tensor } from "../ir.ts";
import { ALL_FILTERS } from "../sampling.ts";
import type { IntLike } from "../symint.ts";
import { Parts } from "./decoder-layer.test-support.ts";

/** How a head differs from a decoded token's: 64 values, to 130 tokens, of which the likeliest is taken. */
export interface HeadOptions {
  readonly mode?: "greedy" | "sampled";
  /** Tokens of the run, of which the sampler sees the last. */
  readonly S?: IntLike;
  /** The row is a sum of a projection, which can write it as limbs. */
  readonly limbs?: boolean;
  /** The logits come through a view, as ExecuTorch's do. */
  readonly viewed?: boolean;
  /** Something else is computed before the sampler runs. */
  readonly alsoRead?: boolean;
  readonly hiddenSize?: number;
}

export const HEAD_SIZE = 64;
const VOCABULARY = 130;

/** Inputs are x, sampling and input_pos; outputs the logits and what the sampler writes. */
export function choiceHead(options: HeadOptions = {}): Graph {
  const { mode = "greedy", S = 1, limbs = false, viewed, alsoRead } = options;
  const { hiddenSize: H = HEAD_SIZE } = options;
  const parts = new Parts();
  const { g } = parts;
  const x = g.input("x", "f32", [1, 1, H]);
  const sampling = g.input("sampling", "i32", [16]);
  const inputPos = g.input("input_pos", "i32", [1]);
  const row = limbs ? g.node("aten.add.Tensor", "sum", parts.linear("down", x, H, H), x, 1) : x;
  const projected = parts.linear("head", parts.norm("norm", row, H), VOCABULARY, H);
  const logits = viewed ? parts.view(projected, 1, VOCABULARY) : projected;
  const outputs: Tensor[] = [logits];
  if (alsoRead) outputs.push(g.node("aten.neg.default", "read", logits));
  const seen = g.state("seen", "i32", [Math.ceil(VOCABULARY / 32)]);
  const token = g.state("token", "i32", [1, 1]);
  const history = g.state("history", "i32", [16]);
  g.nodes("tetrad.sample", "sample", [
    logits,
    sampling,
    seen,
    inputPos,
    token,
    history,
    mode,
    S,
    mode === "greedy" ? 0 : ALL_FILTERS,
  ]);
  for (const tensor of [...outputs, inputPos, token, seen, history]) g.output(tensor);
  return g.build();
}
