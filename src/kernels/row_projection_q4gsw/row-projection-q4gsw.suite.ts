import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, DeviceLimits } from "../../gpu/capabilities.ts";
import { randomMatrix } from "../linear_q4gsw/linear-q4gsw.cases.ts";
import { randomValues } from "../testing/data.ts";
import type { Operand } from "../testing/run-route.ts";
import { defaultRoute } from "../shared/tunable.ts";
import type { Tunable } from "../shared/tunable.ts";
import { defineSuite, runnableWithBinding } from "../testing/suite.ts";
import type { Expectation, KernelCase } from "../testing/suite.ts";
import { joinedMatrices } from "./row-projection-q4gsw.cases.ts";
import { rowProjectionReference, swigluReference } from "./row-projection-q4gsw.reference.ts";
import { normLinearTunable, qkvTunable, swigluTunable } from "./row-projection-q4gsw.ts";
import type { RowProjectionShape } from "./row-input.ts";

/** How a case differs from a plain one: groups of 32, f16 scales, x normalised. */
interface Options {
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly norm?: false;
  readonly limits?: Partial<DeviceLimits>;
  readonly heavy?: string;
  /** Whether q, k and v lie one after another: as they do, unless said otherwise. */
  readonly joined?: false;
  /** A group of x is zeros; another is a thousand times the rest. */
  readonly uneven?: true;
  /** Whatever a device may choose by measuring is checked. */
  readonly candidates?: true;
}

/** A matrix's operand, and the rows of it. */
type Matrices = Readonly<Record<string, number>>;

const EPSILON = 1e-5;
const HUGE_WEIGHT = "a weight of over 100 MB";

function inputs(K: number, { norm, uneven }: Options) {
  const x = randomValues(K, 1);
  if (uneven) {
    x.fill(0, 0, 32);
    for (let k = 32; k < 64; k++) x[k]! *= 1000;
  }
  return {
    x,
    norm: norm === false ? undefined : { weight: randomValues(K, 2), epsilon: EPSILON },
  };
}

function projectionCase(
  kind: "linear" | "swiglu" | "qkv",
  K: number,
  matrices: Matrices,
  options: Options,
  tunable: (shape: RowProjectionShape, capabilities: Capabilities) => Tunable<object>,
): KernelCase<object> {
  const { groupSize = 32, scaleType = "f16", norm, limits, heavy, uneven, candidates } = options;
  const shape: RowProjectionShape = {
    K,
    groupSize,
    scaleType,
    ...(norm === false ? {} : { norm: { epsilon: EPSILON } }),
  };
  const restrict = (capabilities: Capabilities) =>
    limits === undefined ? capabilities : restrictCapabilities(capabilities, { limits });
  const makeMatrices = () =>
    Object.entries(matrices).map(
      ([name, N], index) => [name, randomMatrix({ ...shape, N }, 10 * index + 4)] as const,
    );
  return {
    name: [
      kind,
      `${K}x${Object.values(matrices).join("+")}`,
      `g${groupSize}`,
      scaleType,
      norm === false && "no norm",
      uneven && "uneven",
      options.joined === false && "apart",
      limits !== undefined && JSON.stringify(limits),
    ]
      .filter(Boolean)
      .join(" "),
    route: (capabilities) => defaultRoute(tunable(shape, restrict(capabilities))),
    ...(candidates === undefined
      ? {}
      : { candidates: (capabilities) => tunable(shape, restrict(capabilities)).candidates }),
    expectRoute(capabilities) {
      const { software, subgroups, integerDot } = restrict(capabilities);
      const inBlocks = K % 32 === 0 && groupSize % 32 === 0;
      const apart = options.joined === false;
      if (software || subgroups === undefined || !inBlocks || apart) return `${kind}_separate`;
      return `${kind}_${integerDot ? "limbs" : "f32"}`;
    },
    live: {},
    operands() {
      const made = inputs(K, options);
      const operands: Record<string, Operand> = { x: made.x };
      if (made.norm !== undefined) operands["norm"] = made.norm.weight;
      const all = makeMatrices();
      if (kind === "qkv") Object.assign(operands, joinedMatrices(all.map(([, each]) => each)));
      for (const [name, { matrix, scales }] of all) {
        operands[name] = matrix.weight;
        operands[name === "weight" ? "scales" : `${name}_scales`] = scales;
        const out = kind === "qkv" ? `${name}_out` : "out";
        operands[out] = { bytes: 4 * matrix.N };
      }
      return operands;
    },
    expected() {
      const { x, norm: normalization } = inputs(K, options);
      const made = makeMatrices();
      const results = rowProjectionReference(
        x,
        normalization,
        made.map(([, { matrix }]) => matrix),
      );
      const f32 = (values: Float64Array): Expectation => ({ type: "f32", values });
      if (kind === "linear") return { out: f32(results[0]!) };
      if (kind === "swiglu") return { out: f32(swigluReference(results[0]!, results[1]!)) };
      return Object.fromEntries(made.map(([name], i) => [`${name}_out`, f32(results[i]!)]));
    },
    tolerance:
      K >= 8192 || uneven ? { absolute: 1e-3, relative: 1e-2 } : { absolute: 1e-4, relative: 1e-3 },
    ...runnableWithBinding(Math.max(...Object.values(matrices)) * (K / 2)),
    ...(heavy === undefined ? {} : { heavy }),
  };
}

function linear(K: number, N: number, options: Options = {}) {
  return projectionCase("linear", K, { weight: N }, options, (shape, capabilities) =>
    normLinearTunable({ ...shape, N }, capabilities),
  );
}

function swiglu(K: number, N: number, options: Options = {}) {
  return projectionCase("swiglu", K, { gate: N, up: N }, options, (shape, capabilities) =>
    swigluTunable({ ...shape, N }, capabilities),
  );
}

function qkv(K: number, rows: readonly [number, number, number], options: Options = {}) {
  const [q, k, v] = rows;
  return projectionCase("qkv", K, { q, k, v }, options, (shape, capabilities) =>
    qkvTunable({ ...shape, rows, joined: options.joined ?? true }, capabilities),
  );
}

/** Shapes of models, then edges: few outputs, odd numbers of them, K and groups of any size. */
export const rowProjectionQ4gswSuite = defineSuite("row_projection_q4gsw", [
  // Llama-3.2-1B
  qkv(2048, [2048, 512, 512]),
  swiglu(2048, 8192, { heavy: "two weights of 8 MB" }),
  linear(2048, 128256, { heavy: HUGE_WEIGHT }),
  // Llama-3.1-8B
  qkv(4096, [4096, 1024, 1024], { heavy: "a weight of 8 MB" }),
  swiglu(4096, 14336, { heavy: "two weights of 29 MB" }),
  linear(4096, 128256, { heavy: HUGE_WEIGHT }),
  // edges
  linear(32, 1),
  linear(96, 37),
  linear(8192, 9, { uneven: true, norm: false }),
  linear(2048, 70, { uneven: true }),
  linear(64, 31, { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  linear(40, 19, { groupSize: 8 }),
  swiglu(64, 1),
  swiglu(288, 67),
  swiglu(2048, 130, { groupSize: 64, scaleType: "f32", norm: false }),
  swiglu(96, 33, { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  qkv(64, [64, 32, 32]),
  qkv(288, [67, 5, 3]),
  qkv(96, [33, 9, 10], { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  qkv(64, [16, 8, 8], { joined: false }),
  qkv(8192, [5, 3, 2], { groupSize: 256, scaleType: "f32", norm: false }),
  // every layout that a device may choose
  linear(8192, 9, { candidates: true }),
  linear(2048, 37, { candidates: true, norm: false, groupSize: 64, scaleType: "f32" }),
  swiglu(8192, 7, { candidates: true }),
  qkv(8192, [5, 3, 2], { candidates: true }),
]);
