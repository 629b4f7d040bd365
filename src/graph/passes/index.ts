import type { Graph } from "../ir.ts";
import { liveNodes } from "../live-nodes.ts";
import { fuseResidualAdd } from "./fuse-residual-add.ts";
import { fuseRotarySlice } from "./fuse-rotary-slice.ts";
import { fuseNorm, fuseQkv, fuseSwiglu } from "./fuse-row-projections.ts";
import { fuseSiluMul } from "./fuse-silu-mul.ts";

/** A pure rewriting that keeps a graph's numbers. */
export type Pass = (graph: Graph) => Graph;

/** Every pass, in order. */
export const PASSES: readonly Pass[] = [
  fuseRotarySlice,
  fuseSiluMul,
  fuseResidualAdd,
  fuseSwiglu,
  fuseQkv,
  fuseNorm,
];

/** The graph after all passes. What one leaves unused no longer counts as a reader for the next. */
export function optimizeGraph(graph: Graph): Graph {
  return PASSES.reduce((optimized, pass) => {
    const rewritten = pass(optimized);
    return { ...rewritten, nodes: liveNodes(rewritten) };
  }, graph);
}
