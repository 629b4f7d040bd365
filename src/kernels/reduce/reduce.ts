import { UnsupportedError } from "../../errors.ts";
import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { elementConstant, elementStoreParts, isFloat } from "../shared/element-type.ts";
import workgroupMax from "../shared/workgroup-max.wgsl";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import floatSource from "./reduce-float.wgsl";
import integerSource from "./reduce-integer.wgsl";
import source from "./reduce.wgsl";

/** What is fixed about a reduction. */
export interface ReduceShape {
  readonly op: "sum" | "mean" | "amax" | "amin";
  /** Of x and out. f16 is computed in f32. */
  readonly type: "f32" | "f16" | "i32";
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
 * x, out. A sum of i32 is i32 and wraps around, where ATen widens to 64 bits: nothing here has 64, and
 * programs have their 64-bit integers as 32. Throws `UnsupportedError` for a mean of i32, which ATen
 * refuses too.
 */
export function reduce({ op, type }: ReduceShape, capabilities: Capabilities): Route<ReduceLive> {
  if (op === "mean" && !isFloat(type)) {
    throw new UnsupportedError(`reduce: mean of ${type} is not supported; supported: f32, f16`);
  }
  const value = isFloat(type) ? "f32" : "i32";
  const kernel = defineKernel({
    label: `reduce_${op}_${type}`,
    parts: [
      ...elementStoreParts(type),
      isFloat(type) ? floatSource : integerSource,
      workgroupSum,
      workgroupMax,
      source,
    ],
    constants: {
      ELEMENT: elementConstant(type),
      SumType: value,
      MaxType: value,
      OP: op.toUpperCase(),
    },
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
