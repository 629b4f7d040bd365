/** Graphs of a prompt's rows, for tests of the passes. */
import type { Graph } from "../ir.ts";
import { symIntRoot } from "../symint.ts";
import type { SymIntRoot } from "../symint.ts";
import { Parts } from "./decoder-layer.test-support.ts";

export const HIDDEN_SIZE = 256;
const FEED_FORWARD_SIZE = 288;

/** How a layer differs: what else is an output of the graph. */
export interface PromptLayerOptions {
  readonly alsoRead?: "normed" | "gate" | "hidden";
  readonly feedForwardSize?: number;
  /** q has a bias. */
  readonly bias?: boolean;
  readonly hiddenSize?: number;
}

/**
 * A layer of up to maxM rows with q · k · v for attention: both norms and all projections of Llama's.
 */
export function promptLayer(
  maxM: number,
  options: PromptLayerOptions = {},
): { readonly graph: Graph; readonly rows: SymIntRoot } {
  const { alsoRead, bias = false } = options;
  const { feedForwardSize: F = FEED_FORWARD_SIZE, hiddenSize: H = HIDDEN_SIZE } = options;
  const rows = symIntRoot("rows", 1, maxM);
  const parts = new Parts();
  const { g } = parts;
  const x = g.input("x", "f32", [1, rows, H]);
  const normed = parts.norm("attn_norm", x, H);
  const flat = g.node("aten.view_copy.default", "flat", normed, [rows, H]);
  const q = parts.linear("q", flat, H, H, bias);
  const k = parts.linear("k", normed, H, H);
  const v = parts.linear("v", normed, H, H);
  const whole = g.node("aten.view_copy.default", "whole q", q, [1, rows, H]);
  const product = g.node("aten.mul.Tensor", "qk", whole, k);
  const projected = parts.linear("output", g.node("aten.mul.Tensor", "qkv", product, v), H, H);
  const sum = g.node("aten.add.Tensor", "sum", projected, x, 1);
  const fed = parts.norm("ffn_norm", sum, H);
  const gate = parts.linear("gate", fed, F, H);
  const up = parts.linear("up", fed, F, H);
  const hidden = parts.silu(gate, up);
  const down = parts.linear("down", hidden, H, F);
  g.output(g.node("aten.add.Tensor", "out", down, sum, 1));
  const also = { normed, gate, hidden };
  if (alsoRead !== undefined) g.output(g.node("aten.neg.default", "read", also[alsoRead]));
  return { graph: g.build(), rows };
}
