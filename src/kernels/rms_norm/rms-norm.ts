import type { Capabilities } from "../../gpu/capabilities.ts";
import { foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Route } from "../../gpu/kernel.ts";
import workgroupSum from "../shared/workgroup-sum.wgsl";
import quadsSource from "./rms-norm-quads.wgsl";
import source from "./rms-norm.wgsl";

/** What is fixed about a call of `et_vk.rms_norm`. */
export interface RmsNormShape {
  /** Length of the normalised dimension. */
  readonly width: number;
  readonly epsilon: number;
}

/** Lanes a row; a wider row gives each lane more columns. */
const WORKGROUP_SIZE = 64;
/** Wide rows of quads have more, where lanes run at once. */
const WIDE_WORKGROUP_SIZE = 256;
const WIDE_QUADS = 256;

/**
 * `et_vk.rms_norm`: operands x [rows, width], weight [width], out [rows, width], all f32.
 * Root mean square layer normalisation (Zhang and Sennrich, 2019).
 */
export function rmsNorm(
  { width, epsilon }: RmsNormShape,
  capabilities: Capabilities,
): Route<{ readonly rows: number }> {
  const inQuads = width % 4 === 0;
  const wide = inQuads && width / 4 >= WIDE_QUADS && !capabilities.software;
  const kernel = defineKernel({
    label: inQuads ? "rms_norm_quads" : "rms_norm",
    parts: [workgroupSum, inQuads ? quadsSource : source],
    overrides: { WORKGROUP_SIZE: wide ? wideWorkgroup(capabilities) : WORKGROUP_SIZE },
  });
  return {
    name: "rms_norm",
    scratch: {},
    dispatches: [
      {
        kernel,
        bind: { out: "out", x: "x", weight: "weight" },
        params: ({ rows }) =>
          inQuads ? { rows, quads: width / 4, epsilon } : { rows, width, epsilon },
        grid: ({ rows }) => foldWorkgroupCount(rows, capabilities),
      },
    ],
  };
}

const wideWorkgroup = ({ limits }: Capabilities): number =>
  limits.maxComputeInvocationsPerWorkgroup >= WIDE_WORKGROUP_SIZE &&
  limits.maxComputeWorkgroupSizeX >= WIDE_WORKGROUP_SIZE
    ? WIDE_WORKGROUP_SIZE
    : WORKGROUP_SIZE;
