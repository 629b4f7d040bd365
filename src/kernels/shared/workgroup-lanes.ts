import type { Capabilities } from "../../gpu/capabilities.ts";

/** The most lanes along x that a workgroup can have, as a power of two: what kernels halve and divide. */
export function mostLanes({ limits }: Capabilities): number {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = limits;
  const most = Math.min(maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX);
  return 2 ** Math.floor(Math.log2(most));
}
