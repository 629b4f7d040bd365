import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount, NO_WORKGROUPS } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import dequantizeF16 from "./dequantize-f16.wgsl";
import {
  fewRows,
  multiplyDispatch,
  prepareWeightsDispatch,
  sumDispatch,
  weightScratch,
} from "./gemm-matrix.ts";
import gemmSubgroupMatrix from "./gemm-subgroup-matrix.wgsl";
import { gemmTiled } from "./gemm-tiled.ts";
import type { LinearLive, LinearQ4gswShape } from "./linear-kernel.ts";
import { matrixChoice, takesMatrices, tileConstants, usedTiles } from "./matrix-tiles.ts";
import type { Choose, MatrixTile } from "./matrix-tiles.ts";
import writeQkv from "./write-qkv.wgsl";

/** What is fixed about q, k and v. */
export interface QkvHalvesShape extends Pick<
  LinearQ4gswShape,
  "K" | "groupSize" | "scaleType" | "maxM"
> {
  /** Outputs of q, k and v. */
  readonly rows: readonly [q: number, k: number, v: number];
}

/** Columns of the largest tile: none has columns of two tensors. */
const TILE_COLUMNS = 128;

const NAMES = ["q", "k", "v"] as const;

/** The three as one matrix. */
const whole = ({ rows, ...shape }: QkvHalvesShape): LinearQ4gswShape => ({
  ...shape,
  N: rows[0] + rows[1] + rows[2],
  hasBias: false,
  rows: "many",
  xHalves: true,
});

/** Whether {@link qkvHalvesQ4gsw} serves a shape on a device. */
export function servesQkvHalves(shape: QkvHalvesShape, capabilities: Capabilities): boolean {
  const [q, k, v] = shape.rows;
  const wholeTiles = q % TILE_COLUMNS === 0 && k % TILE_COLUMNS === 0;
  return wholeTiles && v % 4 === 0 && takesMatrices(whole(shape), capabilities);
}

/**
 * `tetrad.qkv_halves_q4gsw`: q_out, k_out and v_out f32 [M, rows] of x as halves (shared/halves.ts).
 * Operands weight and scales: the rows of q's matrix, k's and v's one after another; q, q_scales, k, …: each
 * by itself. As one product they fill a GPU; k and v alone have few tiles.
 */
export function qkvHalvesQ4gsw(
  shape: QkvHalvesShape,
  capabilities: Capabilities,
): Route<LinearLive> {
  const joined = whole(shape);
  const choose: Choose = (M) => matrixChoice(joined, M, capabilities);
  const { tiles, partBytes } = usedTiles(joined, choose);
  const turn = { matrices: 1, turn: 0, weight: "weight", scales: "scales" };
  return {
    name: "qkv_halves",
    scratch: {
      ...weightScratch(joined, joined.N),
      ...(partBytes > 0 ? { parts: partBytes } : {}),
    },
    dispatches: [
      ...fewRows(separately(shape, capabilities)),
      prepareWeightsDispatch(joined, turn, capabilities),
      ...[...tiles].map((tile) =>
        tile.split
          ? multiplyDispatch(joined, tile, choose, capabilities)
          : multiplyQkv(shape, tile, choose, capabilities),
      ),
      ...(partBytes > 0 ? sums(shape, choose, capabilities) : []),
    ],
  };
}

/** Three products in f32. */
const separately = (
  shape: QkvHalvesShape,
  capabilities: Capabilities,
): readonly DispatchTemplate<LinearLive>[] =>
  NAMES.flatMap((name, index) => {
    const one = { ...whole(shape), N: shape.rows[index] ?? 0 };
    const [weight, scales, out] = [name, `${name}_scales`, `${name}_out`];
    return gemmTiled(one, 32, capabilities).dispatches.map((dispatch) => ({
      ...dispatch,
      bind: { ...dispatch.bind, weight, scales, out, bias: scales, residual: weight },
    }));
  });

/** All three in one kind of tile, where sums are not shared. */
function multiplyQkv(
  shape: QkvHalvesShape,
  tile: MatrixTile,
  choose: Choose,
  capabilities: Capabilities,
): DispatchTemplate<LinearLive> {
  const { rows, K } = shape;
  const joined = whole(shape);
  const { N } = joined;
  return {
    kernel: defineKernel({
      label: `qkv_halves_${tile.name}`,
      parts: [dequantizeF16, writeQkv, gemmSubgroupMatrix],
      constants: tileConstants(joined, tile, capabilities),
    }),
    bind: {
      q_out: "q_out",
      k_out: "k_out",
      v_out: "v_out",
      x: "x",
      weight: "weight_columns",
      scales: "scale_halves",
    },
    params: ({ M }) => ({ M, N, K, q_columns: rows[0], k_columns: rows[1] }),
    grid: ({ M }) =>
      choose(M)?.tile === tile
        ? foldWorkgroupCount(divideCeil(M, tile.tileM) * divideCeil(N, tile.tileN), capabilities)
        : NO_WORKGROUPS,
    work: ({ M }) => productWork(M, N, K),
  };
}

/** What workgroups did of shared sums, for each of the three. */
function sums(
  shape: QkvHalvesShape,
  choose: Choose,
  capabilities: Capabilities,
): readonly DispatchTemplate<LinearLive>[] {
  let first = 0;
  return NAMES.map((name, index) => {
    const N = shape.rows[index] ?? 0;
    const part = { columns: whole(shape).N, first };
    first += N;
    const dispatch = sumDispatch({ ...whole(shape), N }, choose, capabilities, part);
    return { ...dispatch, bind: { ...dispatch.bind, out: `${name}_out` } };
  });
}
