import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import source from "./apply-rotary-emb.wgsl";

/** What is fixed about a call of a rotary embedding. */
export interface RotaryShape {
  /** Query heads, Hq. */
  readonly heads: number;
  /** Key heads, Hkv. */
  readonly kvHeads: number;
  /** Values a head, D; even. */
  readonly headSize: number;
  /** How many of them turn, from the first; even. The rest pass through. */
  readonly rotarySize: number;
  /** Pairs are neighbours, or half the rotary size apart. */
  readonly layout: "interleaved" | "half";
  /**
   * Row length of the tables: at least half the rotary size. From the full rotary size on, "half"
   * takes the second value of a pair's factors from the second half of the row.
   */
  readonly tableWidth: number;
  /** Row s is row input_pos[0] + s of the whole table; otherwise the table is already sliced. */
  readonly livePosition: boolean;
}

const WORKGROUP_SIZE = 64;

function checkShape({ headSize, rotarySize, tableWidth }: RotaryShape): void {
  if (headSize % 2 !== 0 || rotarySize % 2 !== 0 || rotarySize > headSize) {
    throw new UnsupportedError(
      `apply_rotary_emb: rotary size ${rotarySize} of head size ${headSize}; ` +
        `supported: even sizes, the rotary size at most the head size`,
    );
  }
  if (2 * tableWidth < rotarySize) {
    throw new UnsupportedError(
      `apply_rotary_emb: tables of width ${tableWidth} for rotary size ${rotarySize}; ` +
        `supported: widths from half the rotary size on`,
    );
  }
}

/**
 * Rotary position embedding (Su et al., 2021) of queries and keys, in one dispatch: operands xq f32
 * [S, Hq, D], xk f32 [S, Hkv, D], cos and sin f32 [rows, tableWidth], input_pos i32 [1] (bound only
 * with `livePosition`), xq_out, xk_out. Throws `UnsupportedError` for odd sizes.
 */
export function applyRotaryEmb(
  shape: RotaryShape,
  capabilities: Capabilities,
): Route<{ readonly S: number }> {
  checkShape(shape);
  const { heads, kvHeads, headSize, rotarySize, layout, tableWidth, livePosition } = shape;
  const headPairs = headSize / 2;
  const name = `apply_rotary_emb_${layout}`;
  const partnerColumn = layout === "half" && tableWidth >= rotarySize ? rotarySize / 2 : 0;
  const pairs = (S: number) => S * (heads + kvHeads) * headPairs;
  return {
    name,
    scratch: {},
    dispatches: [
      {
        kernel: defineKernel({
          label: name,
          parts: [invocationIndex, source],
          constants: {
            HALVES: layout === "half",
            LIVE_POSITION: livePosition,
            PARTNER_COLUMN: partnerColumn,
          },
          overrides: { WORKGROUP_SIZE },
        }),
        bind: {
          xq_out: "xq_out",
          xk_out: "xk_out",
          xq: "xq",
          xk: "xk",
          cos_table: "cos",
          sin_table: "sin",
          // Bound but not read without a live position.
          input_pos: livePosition ? "input_pos" : "cos",
        },
        params: ({ S }) => ({
          count: pairs(S),
          q_count: S * heads * headPairs,
          q_heads: heads,
          k_heads: kvHeads,
          head_pairs: headPairs,
          rotary_pairs: rotarySize / 2,
          table_width: tableWidth,
        }),
        grid: ({ S }) => elementwiseGrid(pairs(S), WORKGROUP_SIZE, capabilities),
        work: ({ S }) => ({ bytes: { cos: 4 * S * tableWidth, sin: 4 * S * tableWidth } }),
      },
    ],
  };
}
