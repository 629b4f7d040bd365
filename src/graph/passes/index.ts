import type { Graph } from "../ir.ts";
import { fuseRotarySlice } from "./fuse-rotary-slice.ts";
import { fuseSiluMul } from "./fuse-silu-mul.ts";

/** A pure rewriting that keeps a graph's numbers. */
export type Pass = (graph: Graph) => Graph;

/** Every pass, in order. */
export const PASSES: readonly Pass[] = [fuseRotarySlice, fuseSiluMul];

/** The graph after all passes. */
export function optimizeGraph(graph: Graph): Graph {
  return PASSES.reduce((optimized, pass) => pass(optimized), graph);
}
