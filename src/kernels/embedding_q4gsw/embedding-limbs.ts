import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { LIMB_BLOCK_SIZE } from "../../quant/int8-limbs.ts";
import limbWords from "../shared/limb-words.wgsl";
import { LIMB_LANES, VALUES_PER_LANE, writesLimbs } from "../row_projection_q4gsw/row-input.ts";
import type { NothingLive } from "../row_projection_q4gsw/row-input.ts";
import q4Scales from "../shared/q4-scales.wgsl";
import storeLimbs from "../shared/store-limbs.wgsl";
import source from "./embedding-limbs.wgsl";
import type { EmbeddingQ4gswShape } from "./embedding-q4gsw.ts";

/** What is fixed about the embedding of one token with one table, or one shard of its rows. */
export interface EmbeddingLimbsShape extends EmbeddingQ4gswShape {
  /** The limbs are of rms_norm of the row, less its factor, with the operand next_norm. */
  readonly nextNorm: boolean;
}

/** Whether {@link embeddingLimbsQ4gsw} serves the shape on this device. */
export function embedsToLimbs(
  { embeddingSize, groupSize }: Pick<EmbeddingQ4gswShape, "embeddingSize" | "groupSize">,
  capabilities: Capabilities,
): boolean {
  const inBlocks = embeddingSize % LIMB_BLOCK_SIZE === 0 && groupSize % VALUES_PER_LANE === 0;
  return inBlocks && writesLimbs(capabilities);
}

/**
 * One token's row and its limbs: operands indices i32 [1], weight and scales as `embedding_q4gsw` has
 * them, next_norm f32 [embeddingSize] (if the shape has that), out f32 [embeddingSize], out_limbs
 * [embeddingSize / 32] blocks of `src/quant/int8-limbs.ts`. Nothing is written for an index that names no
 * row. Throws `UnsupportedError` unless {@link embedsToLimbs}.
 */
export function embeddingLimbsQ4gsw(
  shape: EmbeddingLimbsShape,
  capabilities: Capabilities,
): Route<NothingLive> {
  const { vocabularySize, embeddingSize, groupSize, firstRow = 0, nextNorm } = shape;
  if (!embedsToLimbs(shape, capabilities)) {
    throw new UnsupportedError(
      `embedding_q4gsw: limbs of ${embeddingSize} values in groups of ${groupSize}; supported: ` +
        `multiples of 32, groups in multiples of 8, devices with subgroups and integer dot products`,
    );
  }
  const kernel = defineKernel({
    label: "embedding_q4gsw_limbs",
    parts: [q4Scales, limbWords, storeLimbs, source],
    constants: {
      GROUP_SIZE: groupSize,
      NIBBLE_ORDER: shape.evenInLowNibble ? 0 : 1,
      SCALES_F16: shape.scaleType === "f16",
      NORM_NEXT: nextNorm,
    },
    overrides: { WORKGROUP_SIZE: LIMB_LANES },
  });
  const workgroups = divideCeil(embeddingSize, VALUES_PER_LANE * LIMB_LANES);
  return {
    name: "embedding_q4gsw_limbs",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: {
          out_limbs: "out_limbs",
          out: "out",
          indices: "indices",
          weight: "weight",
          scales: "scales",
          next_norm: nextNorm ? "next_norm" : "weight",
        },
        params: () => ({
          embedding_size: embeddingSize,
          vocabulary_size: vocabularySize,
          first_row: firstRow,
        }),
        grid: () => [clampWorkgroupCount(workgroups, capabilities), 1, 1],
        work: () => ({
          bytes: {
            weight: embeddingSize / 2,
            scales: (embeddingSize / groupSize) * (shape.scaleType === "f16" ? 2 : 4),
          },
        }),
      },
    ],
  };
}
