import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import workgroupMax from "../shared/workgroup-max.wgsl";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import source from "./reduce.wgsl";

/** What is fixed about a reduction. */
export interface ReduceShape {
  readonly op: "sum" | "mean" | "amax" | "amin";
}

/** Live sizes: x is [outer, width, inner], out [outer, inner]; width is at least 1. */
export interface ReduceLive {
  readonly outer: number;
  readonly width: number;
  readonly inner: number;
}

const WORKGROUP_SIZE = 64;

/**
 * `aten.sum.dim_IntList`, `mean.dim`, `amax`, `amin` over a contiguous range of dimensions: operands
 * x, out, f32.
 */
export function reduce({ op }: ReduceShape, capabilities: Capabilities): Route<ReduceLive> {
  const kernel = defineKernel({
    label: `reduce_${op}`,
    parts: [workgroupSum, workgroupMax, source],
    constants: { OP: op.toUpperCase() },
    overrides: { WORKGROUP_SIZE },
  });
  return {
    name: "reduce",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x" },
        params: ({ outer, width, inner }) => ({ outputs: outer * inner, width, inner }),
        grid: ({ outer, inner }) => foldWorkgroupCount(outer * inner, capabilities),
      },
    ],
  };
}
