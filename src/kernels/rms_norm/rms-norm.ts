import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import source from "./rms-norm.wgsl";

/** What is fixed about a call of `et_vk.rms_norm`. */
export interface RmsNormShape {
  /** Length of the normalised dimension. */
  readonly width: number;
  readonly epsilon: number;
}

/** Lanes a row; a wider row gives each lane more columns. */
const WORKGROUP_SIZE = 64;

/**
 * `et_vk.rms_norm`: operands x [rows, width], weight [width], out [rows, width], all f32.
 * Root mean square layer normalisation (Zhang and Sennrich, 2019).
 */
export function rmsNorm(
  { width, epsilon }: RmsNormShape,
  capabilities: Capabilities,
): Route<{ readonly rows: number }> {
  const kernel = defineKernel({
    label: "rms_norm",
    parts: [workgroupSum, source],
    overrides: { WORKGROUP_SIZE },
  });
  return {
    name: "rms_norm",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x", weight: "weight" },
        params: ({ rows }) => ({ rows, width, epsilon }),
        grid: ({ rows }) => foldWorkgroupCount(rows, capabilities),
      },
    ],
  };
}
