import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Grid, Kernel, Route } from "../../gpu/kernel.ts";
import type { KernelConstants } from "../../gpu/wgsl.ts";
import { productWork } from "../../gpu/work.ts";
import q4Scales from "../shared/q4-scales.wgsl";
import operands from "./operands.wgsl";
import scalesSource from "./scales.wgsl";

/** What is fixed about a call of `et_vk.linear_q4gsw` with one weight, or one shard of its rows. */
export interface LinearQ4gswShape {
  /** Rows of this weight (shard): outputs. */
  readonly N: number;
  /** Inner size: columns of the weight and of x. */
  readonly K: number;
  /** Weights a scale, along K; divides K. */
  readonly groupSize: number;
  /** Scales are row-major [N, K / groupSize]; f16 ones packed two to a word. */
  readonly scaleType: "f16" | "f32";
  /** Whether there is a bias, f32 and at least N long. */
  readonly hasBias: boolean;
  /** Whether something of out's shape is added. */
  readonly hasResidual?: boolean;
  /** M is always 1, or anything from 1 to `maxM`. */
  readonly rows: "one" | "many";
  /** For "many": the largest live M. */
  readonly maxM?: number;
  /** Row length of `out`, if not N. */
  readonly outStride?: number;
  /** The first column of `out` this shard writes. */
  readonly outOffset?: number;
  /** x comes as halves: see shared/halves.ts. */
  readonly xHalves?: boolean;
}

export type LinearLive = { readonly M: number };

export interface LinearKernelOptions {
  readonly parts: readonly string[];
  readonly constants: KernelConstants;
  readonly overrides?: Readonly<Record<string, number>>;
}

/** A kernel over the operator's operands, as operands.wgsl has them. */
export function defineLinear(
  { scaleType, hasBias, hasResidual = false }: LinearQ4gswShape,
  name: string,
  { parts, constants, overrides = {} }: LinearKernelOptions,
): Kernel {
  return defineKernel({
    label: `linear_q4gsw_${name}`,
    parts: [q4Scales, scalesSource, operands, ...parts],
    constants: {
      ...constants,
      SCALES_F16: scaleType === "f16",
      HAS_BIAS: hasBias,
      HAS_RESIDUAL: hasResidual,
    },
    overrides,
  });
}

/** A dispatch of a kernel over the operands as they are. */
export function linearDispatch(
  { N, K, hasBias, hasResidual = false, outStride = N, outOffset = 0 }: LinearQ4gswShape,
  kernel: Kernel,
  grid: (live: LinearLive) => Grid,
): DispatchTemplate<LinearLive> {
  return {
    kernel,
    bind: {
      out: "out",
      x: "x",
      weight: "weight",
      scales: "scales",
      // Bound but not read without a bias.
      bias: hasBias ? "bias" : "scales",
      // The weight, because subgroup matrices want a binding of 1,024 bytes even unread.
      residual: hasResidual ? "residual" : "weight",
    },
    params: ({ M }) => ({ M, N, K, out_stride: outStride, out_offset: outOffset }),
    grid,
    // Of a whole result a shard touches its columns.
    work: ({ M }) => ({
      ...productWork(M, N, K),
      bytes: { out: 4 * M * N, bias: 4 * N, residual: 4 * M * N },
    }),
  };
}

/** A route of one dispatch over the operands as they are. */
export function oneDispatch(
  shape: LinearQ4gswShape,
  name: string,
  kernel: Kernel,
  grid: (live: LinearLive) => Grid,
): Route<LinearLive> {
  return { name, scratch: {}, dispatches: [linearDispatch(shape, kernel, grid)] };
}
