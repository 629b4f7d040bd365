import type { Capabilities } from "../../gpu/capabilities.ts";
import { elementwiseGrid } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import { linearQ4gswTunable } from "../linear_q4gsw/linear-q4gsw.ts";
import type { LinearQ4gswShape } from "../linear_q4gsw/linear-q4gsw.ts";
import { ELEMENTWISE_WORKGROUP_SIZE } from "../shared/element-type.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import roundHalfEven from "../shared/round-half-even.wgsl";
import { defaultRoute, mapRoutes } from "../shared/tunable.ts";
import type { Tunable } from "../shared/tunable.ts";
import source from "./requantize.wgsl";

/** Of random row scales: rows of bytes become values of about 1. */
const BYTE_SCALE_MAGNITUDE = 1 / 64;

type Live = { readonly M: number };

/** What is fixed about `et_vk.linear_dq8ca_q4gsw`: as for linear_q4gsw, but for the rows. */
export interface LinearDq8caQ4gswShape extends Omit<LinearQ4gswShape, "rows" | "maxM"> {
  /** The largest live M; 1 takes the routes of one row. */
  readonly maxM: number;
}

/**
 * `et_vk.linear_dq8ca_q4gsw`: a 4-bit linear layer of activations quantised to 8 bits, with a scale and
 * a zero point a row. Operands x f32 [M, K], x_scale f32 [M], x_zero_point i8 [M], and weight, scales,
 * bias, out as of `linearQ4gsw`, which does the product: first x is replaced by what quantisation
 * leaves of it, in f32, so that every fast route serves.
 */
export function linearDq8caQ4gsw(
  shape: LinearDq8caQ4gswShape,
  capabilities: Capabilities,
): Route<Live> {
  return defaultRoute(linearDq8caQ4gswTunable(shape, capabilities));
}

/** The routes that `linearDq8caQ4gsw` has for a shape on a device. */
export function linearDq8caQ4gswTunable(
  { maxM, ...shape }: LinearDq8caQ4gswShape,
  capabilities: Capabilities,
): Tunable<Live> {
  const linear = linearQ4gswTunable(
    maxM === 1 ? { ...shape, rows: "one" } : { ...shape, rows: "many", maxM },
    capabilities,
  );
  const tunable = mapRoutes(linear, "linear_dq8ca_q4gsw", (route) =>
    withRequantizedRows(route, shape.K, maxM, capabilities),
  );
  return { ...tunable, magnitudes: { ...tunable.magnitudes, x_scale: BYTE_SCALE_MAGNITUDE } };
}

function withRequantizedRows(
  linear: Route<Live>,
  K: number,
  maxM: number,
  capabilities: Capabilities,
): Route<Live> {
  const requantize: DispatchTemplate<Live> = {
    kernel: defineKernel({
      label: "linear_dq8ca_q4gsw_requantize",
      parts: [invocationIndex, roundHalfEven, source],
      overrides: { WORKGROUP_SIZE: ELEMENTWISE_WORKGROUP_SIZE },
    }),
    bind: { out: "x_requantized", x: "x", x_scale: "x_scale", x_zero_point: "x_zero_point" },
    params: ({ M }) => ({ M, K }),
    grid: ({ M }) => elementwiseGrid(M * K, ELEMENTWISE_WORKGROUP_SIZE, capabilities),
    work: ({ M }) => ({ bytes: { x_requantized: 4 * M * K } }),
  };
  const product = linear.dispatches.map((dispatch) => ({
    ...dispatch,
    work: (live: Live) => {
      const { bytes, ...work } = dispatch.work?.(live) ?? {};
      return { ...work, bytes: { ...bytes, x_requantized: 4 * live.M * K } };
    },
    bind: Object.fromEntries(
      Object.entries(dispatch.bind).map(([name, operand]) => [
        name,
        operand === "x" ? "x_requantized" : operand,
      ]),
    ),
  }));
  return {
    name: `dq8ca_${linear.name}`,
    scratch: { ...linear.scratch, x_requantized: 4 * maxM * K },
    dispatches: [requantize, ...product],
  };
}
