import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, DeviceLimits } from "../../gpu/capabilities.ts";
import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { packLimbs } from "../../quant/int8-limbs.ts";
import { randomMatrix } from "../linear_q4gsw/linear-q4gsw.cases.ts";
import { sdpaSplits } from "../sdpa_with_kv_cache/sdpa-splits.ts";
import { defaultRoute } from "../shared/tunable.ts";
import type { Candidate, Tunable } from "../shared/tunable.ts";
import { randomValues } from "../testing/data.ts";
import type { Tolerance } from "../testing/compare.ts";
import type { Operand } from "../testing/run-route.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { attentionLinearAddTunable, projectsAttention } from "./attention-linear-add.ts";
import type { AttentionProjectionShape } from "./attention-linear-add.ts";
import { limbExpectation } from "./limb-expectation.ts";
import { joinSplitsReference } from "./row-groups.reference.ts";
import {
  limbBytes,
  linearAddLimbsTunable,
  projectsToLimbs,
  swigluLimbsTunable,
} from "./row-groups.ts";
import type { LimbProjectionShape } from "./row-groups.ts";
import { rowProjectionReference, swigluReference } from "./row-projection-q4gsw.reference.ts";

/** How a case differs from a plain one: limbs in, groups of 32, f16 scales and caches, a norm before and after. */
interface Options {
  readonly input?: "f32";
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly norm?: false;
  readonly nextNorm?: false;
  /** Of attention, whose splits have the same. */
  readonly cacheType?: "f32";
  readonly limits?: Partial<DeviceLimits>;
  readonly heavy?: string;
  /** Whatever a device may choose by measuring is checked, not only other outputs of a workgroup. */
  readonly candidates?: true;
  /** What every other group of 16 outputs is, beside one of usual size. */
  readonly everyOtherGroup?: "zero" | "huge";
}

const EPSILON = 1e-5;
const TOLERANCE: Tolerance = { absolute: 1e-4, relative: 1e-3 };

const restricted = (capabilities: Capabilities, { limits }: Options): Capabilities =>
  limits === undefined ? capabilities : restrictCapabilities(capabilities, { limits });

const caseName = (kind: string, sizes: string, options: Options): string =>
  [
    kind,
    sizes,
    `g${options.groupSize ?? 32}`,
    options.scaleType ?? "f16",
    options.input === "f32" && "from f32",
    options.norm === false && "no norm",
    options.nextNorm === false && "no next norm",
    options.cacheType !== undefined && `${options.cacheType} cache`,
    options.everyOtherGroup !== undefined && `every other group ${options.everyOtherGroup}`,
    options.limits !== undefined && JSON.stringify(options.limits),
  ]
    .filter(Boolean)
    .join(" ");

const toleranceOf = (K: number): Tolerance =>
  K >= 8192 ? { absolute: 1e-3, relative: 1e-2 } : TOLERANCE;

/** The default has one number of outputs for a workgroup; another candidate, most like it, the other. */
function checkedCandidates<Live>(
  { candidates }: Tunable<Live>,
  options: Options,
): readonly Candidate<Live>[] {
  if (options.candidates) return candidates;
  const outputsOf = ({ name }: Candidate<Live>) => name.split("/")[0];
  const [first, ...others] = candidates;
  const other = others.find((candidate) => outputsOf(candidate) !== outputsOf(first));
  return other === undefined ? [] : [other];
}

/** Factors for the groups that are not of usual size. */
const FACTORS = { zero: 0, huge: 1000 } as const;

function rowCase(
  kind: "swiglu_to_limbs" | "linear_add_to_limbs",
  K: number,
  N: number,
  options: Options,
): KernelCase<object> {
  const { input = "limbs", groupSize = 32, scaleType = "f16", heavy } = options;
  const swiglu = kind === "swiglu_to_limbs";
  const nextNorm = !swiglu && options.nextNorm !== false;
  const shape: LimbProjectionShape = {
    K,
    N,
    groupSize,
    scaleType,
    input,
    nextNorm,
    ...(options.norm === false ? {} : { norm: { epsilon: EPSILON } }),
  };
  const { everyOtherGroup } = options;
  // No product is zero unless the row is.
  const x = () => (everyOtherGroup === "zero" ? new Float32Array(K) : randomValues(K, 1));
  const norm = () => (options.norm === false ? undefined : randomValues(K, 2));
  const names = swiglu ? ["gate", "up"] : ["weight"];
  const matrices = () => names.map((_, index) => randomMatrix(shape, 10 * index + 4));
  const residual = () =>
    randomValues(N, 7).map((value, n) =>
      everyOtherGroup !== undefined && n % 32 < 16 ? FACTORS[everyOtherGroup] * value : value,
    );
  const next = () => (nextNorm ? randomValues(N, 8) : undefined);
  const make = swiglu ? swigluLimbsTunable : linearAddLimbsTunable;
  const tunable = (capabilities: Capabilities) => make(shape, restricted(capabilities, options));
  return {
    name: caseName(kind, `${K}x${N}`, options),
    route: (capabilities) => defaultRoute(tunable(capabilities)),
    candidates: (capabilities) => checkedCandidates(tunable(capabilities), options),
    expectRoute: () => `${kind}_${input}`,
    reachable: (capabilities) => projectsToLimbs(shape, restricted(capabilities, options)),
    live: {},
    operands() {
      const operands: Record<string, Operand> = { out_limbs: { bytes: limbBytes(N) } };
      const weights = norm();
      if (input === "f32") {
        operands["x"] = x();
        if (weights !== undefined) operands["norm"] = weights;
      } else {
        // A norm's weights are in the limbs, and the squares beside them are of what came before.
        operands["limbs"] = packLimbs(
          x().map((value, k) => value * (weights?.[k] ?? 1)),
          x(),
        );
      }
      matrices().forEach(({ matrix, scales }, index) => {
        const name = names[index] ?? "";
        operands[name] = matrix.weight;
        operands[swiglu ? `${name}_scales` : "scales"] = scales;
      });
      if (!swiglu) {
        operands["residual"] = residual();
        operands["out"] = { bytes: 4 * N };
        const nextWeights = next();
        if (nextWeights !== undefined) operands["next_norm"] = nextWeights;
      }
      return operands;
    },
    expected() {
      const weights = norm();
      const normalization = weights && { weight: weights, epsilon: EPSILON };
      const made = matrices().map(({ matrix }) => matrix);
      const results = rowProjectionReference(x(), normalization, made);
      const tolerance = toleranceOf(K);
      if (swiglu) {
        const hidden = swigluReference(results[0]!, results[1]!);
        return { out_limbs: limbExpectation(hidden, undefined, tolerance) };
      }
      const added = residual();
      const out = results[0]!.map((value, n) => value + added[n]!);
      return {
        out: { type: "f32", values: out },
        out_limbs: limbExpectation(out, next(), tolerance),
      };
    },
    tolerance: toleranceOf(K),
    ...(heavy === undefined ? {} : { heavy }),
  };
}

const valuesOf = (stored: Float32Array | Uint16Array): ArrayLike<number> =>
  stored instanceof Uint16Array ? f16ToF32(stored) : stored;

/** Attention's output: [Hq, Hkv, D, cache length, position, N]. */
type AttentionSizes = readonly [number, number, number, number, number, number];

function attentionCase(
  [heads, kvHeads, headSize, cacheLength, position, N]: AttentionSizes,
  options: Options = {},
): KernelCase<{ readonly position: number }> {
  const { groupSize = 32, scaleType = "f16", cacheType = "f16", heavy } = options;
  const K = heads * headSize;
  const nextNorm = options.nextNorm !== false;
  const shape: AttentionProjectionShape = {
    heads,
    kvHeads,
    headSize,
    cacheLength,
    cacheType,
    N,
    groupSize,
    scaleType,
    nextNorm,
  };
  const tunable = (capabilities: Capabilities) =>
    attentionLinearAddTunable(shape, restricted(capabilities, options));
  const splits = sdpaSplits(shape).at(position).splits;
  const partials = () => ({
    // Maxima far apart, so that splits count very differently.
    stats: randomValues(2 * heads * splits, 3).map((value, i) =>
      i % 2 === 0 ? 6 * value : 20 + 15 * value,
    ),
    out: stored(randomValues(K * splits, 4)),
  });
  const stored = (values: Float32Array) => (cacheType === "f16" ? f32ToF16(values) : values);
  const residual = () => randomValues(N, 7);
  const next = () => (nextNorm ? randomValues(N, 8) : undefined);
  const matrix = () => randomMatrix({ ...shape, K }, 4);
  return {
    name: caseName(
      "attention_linear_add",
      `${heads}/${kvHeads}x${headSize} C${cacheLength} at ${position} to ${N}`,
      options,
    ),
    route: (capabilities) => defaultRoute(tunable(capabilities)),
    candidates: (capabilities) => checkedCandidates(tunable(capabilities), options),
    expectRoute: () => "attention_linear_add_limbs",
    reachable: (capabilities) => projectsAttention(shape, restricted(capabilities, options)),
    live: { position },
    operands() {
      const { stats, out } = partials();
      const { matrix: made, scales } = matrix();
      const weights = next();
      return {
        partial_out: out,
        partial_stats: stats,
        weight: made.weight,
        scales,
        residual: residual(),
        out: { bytes: 4 * N },
        out_limbs: { bytes: limbBytes(N) },
        ...(weights === undefined ? {} : { next_norm: weights }),
      };
    },
    expected() {
      const { stats, out: partial } = partials();
      const x = Float32Array.from(
        joinSplitsReference(valuesOf(partial), stats, heads, splits, headSize),
      );
      const [product] = rowProjectionReference(x, undefined, [matrix().matrix]);
      const added = residual();
      const out = product!.map((value, n) => value + added[n]!);
      return {
        out: { type: "f32", values: out },
        out_limbs: limbExpectation(out, next(), TOLERANCE),
      };
    },
    tolerance: TOLERANCE,
    ...(heavy === undefined ? {} : { heavy }),
  };
}

const swiglu = (K: number, N: number, options: Options = {}) =>
  rowCase("swiglu_to_limbs", K, N, options);
const linearAdd = (K: number, N: number, options: Options = {}) =>
  rowCase("linear_add_to_limbs", K, N, options);

/** Shapes of models, then edges. */
export const rowGroupsSuite = defineSuite("row_projection_to_limbs", [
  // Llama-3.2-1B
  swiglu(2048, 8192, { heavy: "two weights of 8 MB" }),
  linearAdd(8192, 2048, { heavy: "a weight of 8 MB", norm: false }),
  attentionCase([32, 8, 64, 8192, 127, 2048]),
  attentionCase([32, 8, 64, 8192, 8191, 2048], { heavy: "a weight of 2 MB" }),
  // Llama-3.1-8B
  swiglu(4096, 14336, { heavy: "two weights of 29 MB" }),
  linearAdd(14336, 4096, { heavy: "a weight of 29 MB", norm: false }),
  attentionCase([32, 8, 128, 4096, 511, 4096], { heavy: "a weight of 8 MB" }),
  // Edges
  swiglu(32, 32),
  swiglu(288, 768),
  swiglu(96, 64, { input: "f32" }),
  swiglu(128, 32, { groupSize: 64, scaleType: "f32", norm: false }),
  swiglu(64, 128, { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  linearAdd(32, 32),
  linearAdd(768, 288, { norm: false }),
  linearAdd(8192, 32, { input: "f32" }),
  linearAdd(4160, 64, { nextNorm: false }),
  linearAdd(256, 32, { groupSize: 128, scaleType: "f32" }),
  linearAdd(64, 64, { everyOtherGroup: "zero" }),
  linearAdd(64, 64, { everyOtherGroup: "huge", nextNorm: false }),
  linearAdd(64, 128, { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  attentionCase([6, 6, 48, 512, 0, 288]),
  attentionCase([6, 6, 48, 512, 300, 32], { cacheType: "f32" }),
  attentionCase([8, 2, 24, 512, 200, 64], { groupSize: 192, nextNorm: false }),
  attentionCase([4, 1, 64, 4096, 4095, 96], { scaleType: "f32" }),
  // More octets than lanes
  attentionCase([20, 4, 64, 512, 100, 32], { limits: { maxComputeInvocationsPerWorkgroup: 128 } }),
  // Splits that are joined apart, all shares alike and not
  attentionCase([8, 1, 128, 4096, 4095, 3136]),
  attentionCase([8, 1, 128, 4096, 4095, 1600], { cacheType: "f32" }),
  attentionCase([16, 2, 40, 4096, 3700, 5120], { limits: { maxComputeWorkgroupsPerDimension: 1 } }),
  // At the end of the cache they are longer, and so few that they are not
  attentionCase([14, 2, 64, 4160, 4000, 32]),
  attentionCase([14, 2, 64, 4160, 4159, 32]),
  // Every layout that a device may choose, where the default is one group a workgroup, and two
  swiglu(1024, 64, { candidates: true }),
  swiglu(64, 4224, { candidates: true }),
  linearAdd(8192, 32, { candidates: true }),
  attentionCase([4, 2, 64, 512, 300, 64], { candidates: true }),
  attentionCase([16, 2, 40, 4096, 4095, 32], { candidates: true }),
]);
