import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import { elementConstant, elementStoreParts } from "../shared/element-type.ts";
import workgroupMax from "../shared/workgroup-max.wgsl";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import source from "./softmax.wgsl";

/** What is fixed about a softmax. */
export interface SoftmaxShape {
  /** Of x and out. f16 is computed in f32. */
  readonly type: "f32" | "f16";
  /** `log_softmax` instead. */
  readonly logarithm?: boolean;
}

/** Live sizes: x and out are [outer, width, inner]; inner is 1 for the last dimension. */
export interface SoftmaxLive {
  readonly outer: number;
  readonly width: number;
  readonly inner: number;
}

const WORKGROUP_SIZE = 64;

/**
 * `aten._softmax`, `_log_softmax` over any dimension: operands x, out. A row of nothing but −∞
 * is NaN in ATen and unspecified here.
 */
export function softmax(
  { type, logarithm = false }: SoftmaxShape,
  capabilities: Capabilities,
): Route<SoftmaxLive> {
  const kernel = defineKernel({
    label: `${logarithm ? "log_softmax" : "softmax"}_${type}`,
    parts: [...elementStoreParts(type), workgroupSum, workgroupMax, source],
    constants: { ELEMENT: elementConstant(type), LOGARITHM: logarithm },
    overrides: { WORKGROUP_SIZE },
  });
  return {
    name: "softmax",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x" },
        params: ({ outer, width, inner }) => ({ rows: outer * inner, width, inner }),
        grid: ({ outer, inner }) => foldWorkgroupCount(outer * inner, capabilities),
      },
    ],
  };
}
