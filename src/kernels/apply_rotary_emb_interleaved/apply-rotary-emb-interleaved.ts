import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import source from "./apply-rotary-emb-interleaved.wgsl";

/** Live sizes: x and out are [batch, rows, width], freqs is [rows, width]; the width is even. */
export interface RotaryInterleavedLive {
  readonly batch: number;
  readonly rows: number;
  readonly width: number;
}

const WORKGROUP_SIZE = 64;

/**
 * `et_vk.apply_rotary_emb_interleaved`: rotary position embedding (Su et al., 2021) of neighbouring
 * pairs with one table that holds (cos, sin) pairs. Operands x, freqs, out, f32.
 */
export function applyRotaryEmbInterleaved(
  capabilities: Capabilities,
): Route<RotaryInterleavedLive> {
  const name = "apply_rotary_emb_interleaved";
  const kernel = defineKernel({
    label: name,
    parts: [invocationIndex, source],
    overrides: { WORKGROUP_SIZE },
  });
  const pairs = ({ batch, rows, width }: RotaryInterleavedLive) => (batch * rows * width) / 2;
  return {
    name,
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x", freqs: "freqs" },
        params: (live) => ({ count: pairs(live), factors: pairs({ ...live, batch: 1 }) }),
        grid: (live) => elementwiseGrid(pairs(live), WORKGROUP_SIZE, capabilities),
      },
    ],
  };
}
