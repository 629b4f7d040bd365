import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import { areHalves, F32_MAX_ROWS } from "../shared/halves.ts";
import octetHalves from "../shared/octet-halves.wgsl";
import sigmoid from "../shared/sigmoid.wgsl";
import { siluMul } from "../silu_mul/silu-mul.ts";
import dequantizeF16 from "./dequantize-f16.wgsl";
import { fewRows, prepareWeightsDispatch, weightScratch } from "./gemm-matrix.ts";
import gemmSubgroupMatrix from "./gemm-subgroup-matrix.wgsl";
import { gemmTiled } from "./gemm-tiled.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";
import { swigluTile, takesMatrices, tileConstants } from "./matrix-tiles.ts";
import type { MatrixTile } from "./matrix-tiles.ts";
import writeSwiglu from "./write-swiglu.wgsl";

/** What is fixed about gate and up, which are alike. */
export type SwigluHalvesShape = Pick<
  LinearQ4gswShape,
  "N" | "K" | "groupSize" | "scaleType" | "maxM"
>;

const plainShape = (shape: SwigluHalvesShape): LinearQ4gswShape => ({
  ...shape,
  hasBias: false,
  rows: "many",
});

/** Whether {@link swigluHalvesQ4gsw} serves a shape on a device. */
export const servesSwigluHalves = (shape: SwigluHalvesShape, capabilities: Capabilities): boolean =>
  shape.N % 16 === 0 && takesMatrices(plainShape(shape), capabilities);

/**
 * `tetrad.swiglu_halves_q4gsw`: out = silu(x · gateᵀ) · (x · upᵀ). Operands x and out as halves of K and
 * N values (shared/halves.ts); gate and up words of eight nibbles [N, K / 8], gate_scales and up_scales
 * [N, K / groupSize]. Gate and up are multiplied as one matrix, and what comes of them is never in memory.
 */
export function swigluHalvesQ4gsw(
  swiglu: SwigluHalvesShape,
  capabilities: Capabilities,
): Route<LinearLive> {
  const shape = plainShape(swiglu);
  const prepare = (turn: number, weight: string, scales: string) =>
    prepareWeightsDispatch(shape, { matrices: 2, turn, weight, scales }, capabilities);
  return {
    name: "swiglu_halves",
    scratch: {
      ...weightScratch(shape, 2 * shape.N),
      gate_rows: 4 * F32_MAX_ROWS * shape.N,
      up_rows: 4 * F32_MAX_ROWS * shape.N,
    },
    dispatches: [
      ...fewRows(separately(shape, capabilities)),
      prepare(0, "gate", "gate_scales"),
      prepare(1, "up", "up_scales"),
      ...multiplyDispatches(shape, capabilities),
    ],
  };
}

/** Two products and what SwiGLU makes of them, in f32. */
function separately(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): readonly DispatchTemplate<LinearLive>[] {
  const project = (weight: string, scales: string, out: string) =>
    gemmTiled(shape, 32, capabilities).dispatches.map((dispatch) => ({
      ...dispatch,
      bind: { ...dispatch.bind, weight, scales, out, bias: scales, residual: weight },
    }));
  const gated = siluMul({ wholeQuads: true }, capabilities).dispatches.map(
    ({ params, grid, ...dispatch }): DispatchTemplate<LinearLive> => ({
      kernel: dispatch.kernel,
      bind: { out: "out", gate: "gate_rows", up: "up_rows" },
      params: ({ M }) => params({ count: M * shape.N }),
      grid: ({ M }) => grid({ count: M * shape.N }),
    }),
  );
  return [
    ...project("gate", "gate_scales", "gate_rows"),
    ...project("up", "up_scales", "up_rows"),
    ...gated,
  ];
}

/** The product from the weights of both in turns, in whatever tiles up to maxM rows use. */
function multiplyDispatches(
  shape: LinearQ4gswShape,
  capabilities: Capabilities,
): readonly DispatchTemplate<LinearLive>[] {
  const { N, K, maxM = 1 } = shape;
  const tiles = new Set<MatrixTile>();
  for (let M = 1; M <= maxM; M++) {
    if (areHalves(M)) tiles.add(swigluTile(shape, M, capabilities));
  }
  return [...tiles].map((tile): DispatchTemplate<LinearLive> => ({
    kernel: defineKernel({
      label: `swiglu_halves_${tile.name}`,
      parts: [dequantizeF16, octetHalves, sigmoid, writeSwiglu, gemmSubgroupMatrix],
      constants: tileConstants(shape, tile, capabilities),
    }),
    bind: { out: "out", x: "x", weight: "weight_columns", scales: "scale_halves" },
    params: ({ M }) => ({ M, N: 2 * N, K }),
    grid: ({ M }) =>
      areHalves(M) && swigluTile(shape, M, capabilities) === tile
        ? foldWorkgroupCount(
            divideCeil(M, tile.tileM) * divideCeil(2 * N, tile.tileN),
            capabilities,
          )
        : NO_WORKGROUPS,
    work: ({ M }) => ({ ...productWork(M, 2 * N, K), bytes: { out: 2 * M * N, x: 2 * M * K } }),
  }));
}
