import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { linearQ4gsw } from "../linear_q4gsw/linear-q4gsw.ts";
import type { LinearQ4gswShape } from "../linear_q4gsw/linear-q4gsw.ts";

/** What is fixed about `et_vk.linear_qcs4w`: as for linear_q4gsw, but for the group, which is K. */
export type LinearQcs4wShape = Omit<LinearQ4gswShape, "groupSize">;

/**
 * `et_vk.linear_qcs4w`: a linear layer of 4-bit weights with a scale an output. Operands x f32 [M, K],
 * weight words [N, pad8(K) / 8], scales [N], out f32 [M, N]. It is `linearQ4gsw` with one group a row,
 * and has its weight layout: even k in low nibbles. Programs that store even k in high nibbles must be
 * repacked when they are loaded.
 */
export function linearQcs4w(
  shape: LinearQcs4wShape,
  capabilities: Capabilities,
): Route<{ readonly M: number }> {
  const route = linearQ4gsw({ ...shape, groupSize: shape.K }, capabilities);
  return { ...route, name: `qcs4w_${route.name}` };
}
