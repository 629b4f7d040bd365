import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Graph } from "../ir.ts";
import { liveNodes } from "../live-nodes.ts";
import type { Tuning } from "../tuning.ts";
import { fuseAttentionOutput, fuseQkvRotary } from "./fuse-decode-attention.ts";
import { fuseHalves } from "./fuse-halves.ts";
import { fuseQkvHalves } from "./fuse-qkv-halves.ts";
import { fuseResidualAdd } from "./fuse-residual-add.ts";
import { fuseRotarySlice } from "./fuse-rotary-slice.ts";
import { fuseRowLimbs } from "./fuse-row-limbs.ts";
import { fuseNorm, fuseQkv, fuseSwiglu } from "./fuse-row-projections.ts";
import { fuseSiluMul } from "./fuse-silu-mul.ts";

/** A pure rewriting that keeps a graph's numbers, but for what the device's kernels round. */
export type Pass = (graph: Graph, capabilities: Capabilities, tuning?: Tuning) => Graph;

/** Every pass, in order. */
export const PASSES: readonly Pass[] = [
  fuseRotarySlice,
  fuseSiluMul,
  fuseResidualAdd,
  fuseSwiglu,
  fuseQkv,
  fuseNorm,
  fuseAttentionOutput,
  fuseQkvRotary,
  fuseRowLimbs,
  fuseHalves,
  fuseQkvHalves,
];

/** The graph after all passes. What one leaves unused no longer counts as a reader for the next. */
export function optimizeGraph(graph: Graph, capabilities: Capabilities, tuning?: Tuning): Graph {
  return PASSES.reduce((optimized, pass) => {
    const rewritten = pass(optimized, capabilities, tuning);
    return { ...rewritten, nodes: liveNodes(rewritten) };
  }, graph);
}
