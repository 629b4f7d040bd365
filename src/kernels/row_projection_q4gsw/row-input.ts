/** How projections of one row see the row, and what all of them have in common. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import type { KernelConstants } from "../../gpu/wgsl.ts";
import type { StatedWork } from "../../gpu/work.ts";
import { LIMB_BLOCK_BYTES, LIMB_BLOCK_SIZE } from "../../quant/int8-limbs.ts";
import { rmsNorm } from "../rms_norm/rms-norm.ts";
import limbWords from "../shared/limb-words.wgsl";
import storeLimbs from "../shared/store-limbs.wgsl";
import inputF32 from "./input-f32.wgsl";
import inputLimbs from "./input-limbs.wgsl";
import limbDot from "./limb-dot.wgsl";
import writeLimbsSource from "./write-limbs.wgsl";

/** What all projections of a row have in common. */
export interface RowProjectionShape {
  readonly K: number;
  /** Weights a scale, along K, in every matrix; divides K. */
  readonly groupSize: number;
  readonly scaleType: "f16" | "f32";
  /**
   * "f32": operand x f32 [K]. "limbs": operand limbs, [K / 32] blocks of `src/quant/int8-limbs.ts`
   * that another projection wrote; only where {@link writesLimbs}.
   */
  readonly input?: "f32" | "limbs";
  /**
   * x goes through rms_norm first, with the operand `norm` f32 [K]. Limbs have its weights in them
   * already and each group's sum of squares beside it, and lack only the factor.
   */
  readonly norm?: { readonly epsilon: number };
}

/** Nothing changes from run to run. */
export type NothingLive = object;

/** Lanes a workgroup that writes limbs, eight values each. */
export const LIMB_LANES = 128;
export const VALUES_PER_LANE = 8;

/** Whether kernels of whole blocks of 32 weights, that add up within subgroups, serve here. */
export function isFused(
  { K, groupSize }: Pick<RowProjectionShape, "K" | "groupSize">,
  capabilities: Capabilities,
): boolean {
  const inBlocks = K % 32 === 0 && groupSize % 32 === 0;
  return inBlocks && !capabilities.software && capabilities.subgroups !== undefined;
}

/** Whether blocks of weights can be taken two at a time: their scales allow it. */
export function takesPairs({ K, groupSize }: Pick<RowProjectionShape, "K" | "groupSize">): boolean {
  const perGroup = groupSize / 32;
  return (K / 32) % 2 === 0 && (perGroup === 1 || perGroup % 2 === 0);
}

/** What q4-steps.wgsl is told: `pairs` asks for two blocks at a time, where that is possible. */
export function stepConstants(
  shape: Pick<RowProjectionShape, "K" | "groupSize" | "scaleType">,
  pairs: boolean,
): KernelConstants {
  return {
    STEP: pairs && takesPairs(shape) ? 2 : 1,
    BLOCKS_PER_GROUP: shape.groupSize / 32,
    SCALES_F16: shape.scaleType === "f16",
  };
}

/** Whether rows go from one projection to the next as int8 limbs on this device. */
export function writesLimbs({ software, subgroups, integerDot }: Capabilities): boolean {
  return !software && subgroups !== undefined && integerDot;
}

/** Dispatches of a route of one row, with its operands renamed. */
export function renamed<T>(
  route: Route<T>,
  live: T,
  names: Readonly<Record<string, string>>,
): DispatchTemplate<NothingLive>[] {
  return route.dispatches.map(({ kernel, bind, params, grid, work }) => ({
    kernel,
    bind: Object.fromEntries(
      Object.entries(bind).map(([binding, operand]) => [binding, names[operand] ?? operand]),
    ),
    params: () => params(live),
    grid: () => grid(live),
    work: () => renamedWork(work?.(live) ?? {}, names),
  }));
}

function renamedWork(
  { bytes = {}, ...work }: StatedWork,
  names: Readonly<Record<string, string>>,
): StatedWork {
  const renamed = Object.entries(bytes).map(([name, count]) => [names[name] ?? name, count]);
  return { ...work, bytes: Object.fromEntries(renamed) as Record<string, number> };
}

/** How the kernels see x: which operand or scratch buffer it is, and what fills that. */
export interface RowInput {
  readonly name: "f32" | "limbs" | "f16";
  readonly parts: readonly string[];
  readonly operand: string;
  readonly scratch: Readonly<Record<string, number>>;
  /** Whether the projection has to finish the norm. */
  readonly lacksFactor: boolean;
  readonly dispatches: readonly DispatchTemplate<NothingLive>[];
}

/** x as it is, or normalised by the operator for that. */
export function plainInput({ K, norm }: RowProjectionShape, capabilities: Capabilities): RowInput {
  const input = { name: "f32", parts: [inputF32], lacksFactor: false } as const;
  if (norm === undefined) return { ...input, operand: "x", scratch: {}, dispatches: [] };
  const route = rmsNorm({ width: K, epsilon: norm.epsilon }, capabilities);
  return {
    ...input,
    operand: "normed",
    scratch: { normed: 4 * K },
    dispatches: renamed(route, { rows: 1 }, { weight: "norm", out: "normed" }),
  };
}

/** x as two int8 limbs; with a norm but for its factor, which the projection multiplies with. */
export function limbInput(
  { K, norm, input = "f32" }: RowProjectionShape,
  capabilities: Capabilities,
): RowInput {
  const limbs = {
    name: "limbs",
    parts: [limbDot, inputLimbs],
    operand: "limbs",
    lacksFactor: norm !== undefined,
  } as const;
  if (input === "limbs") return { ...limbs, scratch: {}, dispatches: [] };
  const kernel = defineKernel({
    label: norm === undefined ? "write_limbs" : "rms_norm_limbs",
    parts: [limbWords, storeLimbs, writeLimbsSource],
    constants: { NORM: norm !== undefined },
    overrides: { WORKGROUP_SIZE: LIMB_LANES },
  });
  const workgroups = divideCeil(K, VALUES_PER_LANE * LIMB_LANES);
  return {
    ...limbs,
    scratch: { limbs: (K / LIMB_BLOCK_SIZE) * LIMB_BLOCK_BYTES },
    dispatches: [
      {
        kernel,
        bind: { out_limbs: "limbs", x: "x", weight: norm === undefined ? "x" : "norm" },
        params: () => ({ width: K }),
        grid: () => [clampWorkgroupCount(workgroups, capabilities), 1, 1],
      },
    ],
  };
}
