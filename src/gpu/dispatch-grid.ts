import { DeviceError } from "../errors.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Grid } from "./kernel.ts";

/** The grid of a dispatch that a run leaves out. */
export const NO_WORKGROUPS: Grid = [0, 1, 1];

/** `ceil(a / b)` for non-negative integers. */
export function divideCeil(a: number, b: number): number {
  return Math.ceil(a / b);
}

/**
 * Workgroups for `count` invocations along x. Throws past the device's limit: for kernels that have
 * no second dimension and no grid-stride loop.
 */
export function computeWorkgroupCount1d(
  count: number,
  workgroupSize: number,
  { limits }: Capabilities,
): number {
  const groups = divideCeil(count, workgroupSize);
  if (groups > limits.maxComputeWorkgroupsPerDimension) {
    throw new DeviceError(
      "validation",
      `gpu: ${count} invocations need ${groups} workgroups of ${workgroupSize}; ` +
        `the device allows ${limits.maxComputeWorkgroupsPerDimension} in a dimension`,
    );
  }
  return groups;
}

/** At most the device's limit of workgroups: for kernels whose loop strides over the grid. */
export function clampWorkgroupCount(groups: number, { limits }: Capabilities): number {
  return Math.max(1, Math.min(groups, limits.maxComputeWorkgroupsPerDimension));
}

/**
 * `groups` workgroups as a grid: one row while it fits, else near-square, x = ⌈√n⌉, y = ⌈n/x⌉. The
 * kernel computes `workgroup_id.x + workgroup_id.y × num_workgroups.x` and ignores the surplus.
 */
export function foldWorkgroupCount(groups: number, { limits }: Capabilities): Grid {
  const limit = limits.maxComputeWorkgroupsPerDimension;
  if (groups <= limit) return [groups, 1, 1];
  const x = Math.ceil(Math.sqrt(groups));
  const y = divideCeil(groups, x);
  if (x > limit || y > limit) {
    throw new DeviceError(
      "validation",
      `gpu: ${groups} workgroups do not fit two dimensions of ${limit}`,
    );
  }
  return [x, y, 1];
}

/** The grid of an elementwise kernel: `count` invocations folded over two dimensions. */
export function elementwiseGrid(
  count: number,
  workgroupSize: number,
  capabilities: Capabilities,
): Grid {
  return foldWorkgroupCount(divideCeil(count, workgroupSize), capabilities);
}
