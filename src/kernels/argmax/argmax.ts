import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, elementwiseGrid, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { elementConstant } from "../shared/element-type.ts";
import elementTypes from "../shared/element-types.wgsl";
import invocationIndex from "../shared/invocation-index.wgsl";
import orderKey from "../shared/order-key.wgsl";
import workgroupBest from "../shared/workgroup-best.wgsl";
import finalSource from "./argmax-final.wgsl";
import partialSource from "./argmax-partial.wgsl";

/** What is fixed about `aten.argmax` or `aten.argmin` over one dimension or a contiguous range. */
export interface ArgmaxShape {
  readonly op: "argmax" | "argmin";
  /** Of x. */
  readonly type: "f32" | "f16" | "i32";
  /** Length of what is searched. */
  readonly width: number;
  /** The most outputs a call can have. */
  readonly maxRows: number;
}

/** Live sizes: x is [rows / inner, width, inner]; out has `rows` elements. */
export interface ArgmaxLive {
  readonly rows: number;
  /** Elements behind the searched dimension; 1, the last dimension, if absent. */
  readonly inner?: number;
}

const WORKGROUP_SIZE = 128;
const FINAL_WORKGROUP_SIZE = 64;
/** Elements a part of a row has at most, so that one long row keeps many workgroups busy. */
const PART_WIDTH = 4096;

/**
 * `aten.argmax`, `aten.argmin`: operands x [rows / inner, width, inner], out [rows] i32. Of equal
 * elements the first wins; a row with NaN gives the index of its first NaN, as ATen does.
 */
export function argmax(
  { op, type, width, maxRows }: ArgmaxShape,
  capabilities: Capabilities,
): Route<ArgmaxLive> {
  const parts = divideCeil(width, PART_WIDTH);
  const partial = defineKernel({
    label: `${op}_partial_${type}`,
    parts: [invocationIndex, elementTypes, orderKey, workgroupBest, partialSource],
    constants: { LARGEST: op === "argmax", ELEMENT: elementConstant(type) },
    overrides: { WORKGROUP_SIZE },
  });
  const final = defineKernel({
    label: `${op}_final`,
    parts: [invocationIndex, workgroupBest, finalSource],
    overrides: { WORKGROUP_SIZE: FINAL_WORKGROUP_SIZE },
  });
  return {
    name: "argmax",
    scratch: { best: 8 * parts * maxRows },
    dispatches: [
      {
        kernel: partial,
        bind: { best: "best", x: "x" },
        params: ({ rows, inner = 1 }) => ({ rows, width, inner, parts }),
        grid: ({ rows }) => foldWorkgroupCount(rows * parts, capabilities),
      },
      {
        kernel: final,
        bind: { out: "out", best: "best" },
        params: ({ rows }) => ({ rows, parts }),
        grid: ({ rows }) => elementwiseGrid(rows, FINAL_WORKGROUP_SIZE, capabilities),
      },
    ],
  };
}
