import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import q4Scales from "../shared/q4-scales.wgsl";
import source from "./embedding-q4gsw.wgsl";

/** What is fixed about a call of `et_vk.embedding_q4gsw` with one table, or one shard of its rows. */
export interface EmbeddingQ4gswShape {
  /** Rows of this table (shard). */
  readonly vocabularySize: number;
  readonly embeddingSize: number;
  /** Weights a scale; divides the embedding size. */
  readonly groupSize: number;
  /** Scales are row-major [vocabularySize, embeddingSize / groupSize]; f16 ones packed two to a word. */
  readonly scaleType: "f16" | "f32";
  /** The operator's `is_linear_weight`: whether a byte's low nibble is the even element. */
  readonly evenInLowNibble: boolean;
  /** Index of the shard's first row: only indices of the shard's rows are written. */
  readonly firstRow?: number;
}

const WORKGROUP_SIZE = 64;

/**
 * `et_vk.embedding_q4gsw`: operands indices i32 [count], weight words of eight nibbles
 * [vocabularySize, pad8(embeddingSize) / 8], scales, out f32 [count, embeddingSize]. Nothing is
 * written for an index that names no row.
 */
export function embeddingQ4gsw(
  shape: EmbeddingQ4gswShape,
  capabilities: Capabilities,
): Route<{ readonly count: number }> {
  const { vocabularySize, embeddingSize, groupSize, firstRow = 0 } = shape;
  const kernel = defineKernel({
    label: "embedding_q4gsw",
    parts: [q4Scales, source],
    constants: {
      GROUP_SIZE: groupSize,
      NIBBLE_ORDER: shape.evenInLowNibble ? 0 : 1,
      SCALES_F16: shape.scaleType === "f16",
    },
    overrides: { WORKGROUP_SIZE },
  });
  return {
    name: "embedding_q4gsw",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", indices: "indices", weight: "weight", scales: "scales" },
        params: ({ count }) => ({
          count,
          embedding_size: embeddingSize,
          vocabulary_size: vocabularySize,
          first_row: firstRow,
        }),
        grid: ({ count }) => elementwiseGrid(count * embeddingSize, WORKGROUP_SIZE, capabilities),
        work: ({ count }) => ({
          bytes: {
            weight: (count * embeddingSize) / 2,
            scales: ((count * embeddingSize) / groupSize) * (shape.scaleType === "f16" ? 2 : 4),
          },
        }),
      },
    ],
  };
}
