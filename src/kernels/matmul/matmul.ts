import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { productWork } from "../../gpu/work.ts";
import { elementConstant, elementStoreParts } from "../shared/element-type.ts";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import rowsSource from "./matmul-rows.wgsl";
import source from "./matmul.wgsl";

/** What is fixed about a product of matrices of floats. */
export interface MatmulShape {
  /** Of all operands. f16 is computed in f32. */
  readonly type: "f32" | "f16";
  readonly N: number;
  readonly K: number;
  /** b is [N, K], as the weight of `aten.linear`; else [K, N]. */
  readonly bTransposed: boolean;
  /** What is added: nothing, a row for all rows (a bias), or a matrix. */
  readonly addend?: "row" | "matrix";
  /** Factor of the product; 1 if absent. */
  readonly alpha?: number;
  /** Factor of what is added; 1 if absent. */
  readonly beta?: number;
  /** Whether every batch has the same b. */
  readonly sharedB?: boolean;
  /** M and batch are always 1: as in decoding. */
  readonly oneRow?: boolean;
}

/** Live sizes. */
export interface MatmulLive {
  readonly M: number;
  /** 1 if absent. */
  readonly batch?: number;
}

const TILE = 32;
const ROWS_WORKGROUP_SIZE = 64;

/**
 * `aten.linear`, `mm`, `bmm`, `addmm`: operands a [batch, M, K], b [batch, K, N] (or [N, K]),
 * out [batch, M, N], and addend [N] or [M, N], the same for every batch.
 */
export function matmul(shape: MatmulShape, capabilities: Capabilities): Route<MatmulLive> {
  const { type, N, K, addend, alpha = 1, beta = 1 } = shape;
  const isRows = shape.oneRow === true && shape.bTransposed;
  const fixed = { N, K, alpha, beta, addend_row_stride: addend === "matrix" ? N : 0 };
  const bind = { out: "out", a: "a", b: "b", addend: addend === undefined ? "a" : "addend" };
  if (isRows) {
    const kernel = defineKernel({
      label: `matmul_rows_${type}`,
      parts: [...elementStoreParts(type), workgroupSum, rowsSource],
      constants: { ELEMENT: elementConstant(type), HAS_ADDEND: addend !== undefined },
      overrides: { WORKGROUP_SIZE: ROWS_WORKGROUP_SIZE },
    });
    return {
      name: "matmul_rows",
      scratch: {},
      dispatches: [
        {
          kernel,
          bind,
          params: ({ M }) => ({ ...fixed, M }),
          grid: ({ M }) => foldWorkgroupCount(M * N, capabilities),
          work: ({ M }) => productWork(M, N, K),
        },
      ],
    };
  }
  const kernel = defineKernel({
    label: `matmul_tiled_${type}`,
    parts: [...elementStoreParts(type), source],
    constants: {
      ELEMENT: elementConstant(type),
      B_TRANSPOSED: shape.bTransposed,
      HAS_ADDEND: addend !== undefined,
    },
  });
  return {
    name: "matmul_tiled",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind,
        params: ({ M, batch = 1 }) => ({
          ...fixed,
          M,
          batch,
          b_batch_stride: shape.sharedB === true ? 0 : N * K,
        }),
        grid: ({ M, batch = 1 }) =>
          foldWorkgroupCount(divideCeil(M, TILE) * divideCeil(N, TILE) * batch, capabilities),
        work: ({ M, batch = 1 }) => productWork(batch * M, N, K),
      },
    ],
  };
}
