import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import type { Route } from "../../gpu/kernel.ts";
import gemmTiledSource from "./gemm-tiled.wgsl";
import { defineLinear, oneDispatch } from "./linear-kernel.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";

/** Many rows: square tiles in workgroup memory. */
export function gemmTiled(
  shape: LinearQ4gswShape,
  tile: 32 | 64,
  capabilities: Capabilities,
): Route<LinearLive> {
  const { N, groupSize } = shape;
  const name = `gemm_tiled_${tile}`;
  const kernel = defineLinear(shape, name, {
    parts: [gemmTiledSource],
    constants: { TILE: tile, QUADS_PER_GROUP: groupSize / 4 },
  });
  return oneDispatch(shape, name, kernel, ({ M }) =>
    foldWorkgroupCount(divideCeil(M, tile) * divideCeil(N, tile), capabilities),
  );
}
