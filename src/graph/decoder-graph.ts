import type { Graph, Tensor } from "./ir.ts";
import type { SymIntRoot } from "./symint.ts";

/**
 * A decoder-only model as a graph, whatever file it came from. `forward(tokens, input_pos) →
 * logits`, with the KV caches as state.
 */
export interface DecoderGraph {
  readonly graph: Graph;
  /** i32 [1, S]: the tokens of this run. */
  readonly tokens: Tensor;
  /** i32 [1]: the position of the first of them. */
  readonly inputPos: Tensor;
  /** f32 [1, V]: for the last token of the run. */
  readonly logits: Tensor;
  /** Number of tokens in a run, and the position as a symbolic integer held by `inputPos`. */
  readonly sequenceLength: SymIntRoot;
  readonly position: SymIntRoot;
  /** Positions the caches hold. */
  readonly contextLength: number;
  readonly vocabularySize: number;
}

/** What the caller of a model builder decides. */
export interface DecoderOptions {
  readonly contextLength: number;
  /** Most tokens of one run; longer prompts go in chunks. */
  readonly maxSequenceLength: number;
  readonly cacheType: "f32" | "f16";
}
