/** Kernels that multiply a row by one or several 4-bit matrices, and the ways a device may run them. */
import type { Capabilities } from "../../gpu/capabilities.ts";
import { clampWorkgroupCount, divideCeil } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Kernel, Route } from "../../gpu/kernel.ts";
import type { StatedWork } from "../../gpu/work.ts";
import type { KernelConstants } from "../../gpu/wgsl.ts";
import { LARGE_GPU_MULTIPROCESSORS } from "../shared/large-gpu.ts";
import { LIMBS, scaleMagnitude, variantName, variantsOf } from "../shared/tunable.ts";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import { halfInput } from "./half-input.ts";
import projectSource from "./project.wgsl";
import q4Steps from "./q4-steps.wgsl";
import { isFused, limbInput, plainInput, stepConstants } from "./row-input.ts";
import type { NothingLive, RowProjectionShape } from "./row-input.ts";

/** The longest K for which few lanes a workgroup were best; a longer one gives each too much to do. */
const SHORT_K = 4096;
const FEWEST_LANES = 32;
const LONG_K_LANES = 128;
/** Lanes that a large GPU runs at once. */
const LANES_AT_ONCE = 2048 * LARGE_GPU_MULTIPROCESSORS;

/** What a device is asked to choose from, if it is asked. */
const LANES = [32, 64, 128, 256];
const OUTPUTS = [1, 2, 4];

/** Ways to hand the row to a projection. */
const INPUTS = { limbs: limbInput, f32: plainInput, f16: halfInput } as const;
const INPUT_NAMES = ["limbs", "f32", "f16"] as const;

/** Products of a block are added up in half precision: see docs/numerics.md. */
const F16_TOLERANCE = { absolute: 2e-3, relative: 1e-2 };

/** How the kernels of this file are laid out. */
type Variant = {
  /** What the projection reads x as. */
  readonly input: "limbs" | "f32" | "f16";
  /** Lanes a workgroup. */
  readonly lanes: number;
  /** Outputs an item, of each matrix that is in it. */
  readonly outputs: number;
};

/** What an operator of this folder computes from the row. */
export interface Projection {
  readonly name: string;
  readonly parts: readonly string[];
  /** Rows of each part of the result, which no item crosses. */
  readonly rows: readonly number[];
  /** Outputs an item where nothing was measured, and whether it may be another number. */
  readonly outputs: number;
  readonly fixedOutputs?: true;
  readonly bind: Readonly<Record<string, string>>;
  readonly constants?: KernelConstants;
  readonly params: Readonly<Record<string, number>>;
  readonly work: StatedWork;
}

const itemsOf = (rows: readonly number[], outputs: number): number =>
  rows.reduce((sum, count) => sum + divideCeil(count, outputs), 0);

/** Lanes of a workgroup where nothing was measured. */
function wantedLanes(K: number, items: number): number {
  if (K > SHORT_K) return LONG_K_LANES;
  const twoBlocksEach = Math.max(FEWEST_LANES, 2 ** Math.floor(Math.log2(K / 64)));
  // Where not all workgroups run at once, others fill in while one waits.
  return items * twoBlocksEach <= LANES_AT_ONCE ? twoBlocksEach : FEWEST_LANES;
}

/** The layouts that a device can run, the one for unmeasured devices first. */
function variants(
  { K, input }: RowProjectionShape,
  { rows, outputs, fixedOutputs }: Projection,
  { f16, integerDot, subgroups, limits }: Capabilities,
): readonly [Variant, ...Variant[]] {
  const atLeast = subgroups?.minSize ?? 0;
  const atMost = limits.maxComputeInvocationsPerWorkgroup;
  const blocks = K / 32;
  const wanted = wantedLanes(K, itemsOf(rows, outputs));
  const lanes = Math.min(Math.max(wanted, atLeast), atMost);
  // A row of limbs cannot be had back.
  const fromF32 = input !== "limbs";
  const inputs = { limbs: integerDot, f32: fromF32, f16: fromF32 && f16 };
  return variantsOf<Variant>(
    { input: integerDot ? "limbs" : "f32", lanes, outputs },
    {
      input: INPUT_NAMES.filter((name) => inputs[name]),
      lanes: LANES.filter(
        (count) => count >= atLeast && count <= atMost && count <= Math.max(blocks, lanes),
      ),
      outputs: fixedOutputs ? [outputs] : OUTPUTS,
    },
  );
}

/** What fills the input, then one dispatch over all matrices. */
function fused(
  shape: RowProjectionShape,
  projection: Projection,
  variant: Variant,
  capabilities: Capabilities,
): Route<NothingLive> {
  const { K, norm } = shape;
  const { lanes, outputs } = variant;
  const input = INPUTS[variant.input](shape, capabilities);
  const items = itemsOf(projection.rows, outputs);
  const kernel: Kernel = defineKernel({
    label: `${projection.name}_q4gsw_${input.name}`,
    parts: [q4Steps, ...input.parts, ...projection.parts, projectSource],
    constants: {
      OUTPUTS: outputs,
      ...stepConstants(shape, false),
      NORM: input.lacksFactor,
      STRIDES: items > capabilities.limits.maxComputeWorkgroupsPerDimension,
      ...projection.constants,
    },
    overrides: { WORKGROUP_SIZE: lanes },
  });
  return {
    name: `${projection.name}_${input.name}`,
    scratch: input.scratch,
    dispatches: [
      ...input.dispatches,
      {
        kernel,
        bind: { x: input.operand, ...projection.bind },
        params: () => ({ K, epsilon: norm?.epsilon ?? 0, ...projection.params }),
        grid: () => [clampWorkgroupCount(items, capabilities), 1, 1],
        work: () => projection.work,
      },
    ],
  };
}

/** The fused routes and the separate operators, in whichever order suits an unmeasured device. */
export function rowTunable(
  shape: RowProjectionShape,
  projection: Projection,
  separate: () => Route<NothingLive>,
  capabilities: Capabilities,
  fits = true,
): Tunable<NothingLive> {
  const { K, groupSize, scaleType, norm } = shape;
  const apart: Candidate<NothingLive> = { name: "separate", route: separate };
  const candidate = (variant: Variant): Candidate<NothingLive> => ({
    name: variantName(variant),
    route: () => fused(shape, projection, variant, capabilities),
    ...(variant.input === "f16" ? { tolerance: F16_TOLERANCE } : {}),
    ...(variant.input === "limbs" ? { integerDot: true } : {}),
  });
  const together =
    fits && isFused(shape, capabilities) ? variants(shape, projection, capabilities) : [];
  const [first, ...others] = together;
  const N = projection.rows.join("+");
  return {
    key: `${projection.name}_row_q4gsw N=${N} K=${K} g${groupSize} ${scaleType}${norm ? " norm" : ""}${shape.input === "limbs" ? " limbs" : ""}`,
    candidates:
      first === undefined
        ? [apart]
        : [candidate(first), ...others.map(candidate), ...(shape.input === "limbs" ? [] : [apart])],
    trials: [{ live: {} }],
    tolerance: K <= 4096 ? { absolute: 1e-4, relative: 1e-3 } : { absolute: 1e-3, relative: 1e-2 },
    magnitudes: Object.fromEntries(
      Object.values(projection.bind)
        .filter((operand) => operand.endsWith("scales"))
        .map((operand) => [operand, scaleMagnitude(K)]),
    ),
    encodings: { limbs: LIMBS },
  };
}
