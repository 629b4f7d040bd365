import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Route } from "../../gpu/kernel.ts";
import { linearQ4gswTunable } from "../linear_q4gsw/linear-q4gsw.ts";
import type { LinearQ4gswShape } from "../linear_q4gsw/linear-q4gsw.ts";
import { defaultRoute, mapRoutes } from "../shared/tunable.ts";
import type { Tunable } from "../shared/tunable.ts";

type Live = { readonly M: number };

/** What is fixed about `et_vk.linear_qcs4w`: as for linear_q4gsw, but for the group, which is K. */
export type LinearQcs4wShape = Omit<LinearQ4gswShape, "groupSize">;

/**
 * `et_vk.linear_qcs4w`: a linear layer of 4-bit weights with a scale an output. Operands x f32 [M, K],
 * weight words [N, pad8(K) / 8], scales [N], out f32 [M, N]. It is `linearQ4gsw` with one group a row,
 * and has its weight layout: even k in low nibbles. Programs that store even k in high nibbles must be
 * repacked when they are loaded.
 */
export function linearQcs4w(shape: LinearQcs4wShape, capabilities: Capabilities): Route<Live> {
  return defaultRoute(linearQcs4wTunable(shape, capabilities));
}

/** The routes that `linearQcs4w` has for a shape on a device. */
export function linearQcs4wTunable(
  shape: LinearQcs4wShape,
  capabilities: Capabilities,
): Tunable<Live> {
  const linear = linearQ4gswTunable({ ...shape, groupSize: shape.K }, capabilities);
  return mapRoutes(linear, "linear_qcs4w", (route) => ({ ...route, name: `qcs4w_${route.name}` }));
}
