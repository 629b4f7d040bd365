import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, CapabilityOverrides } from "../../gpu/capabilities.ts";
import { f16BitsToNumber } from "../../quant/f16.ts";
import { ramp, randomValues } from "../testing/data.ts";
import type { Tolerance } from "../testing/compare.ts";
import { packHalves } from "../testing/halves.ts";
import { defaultRoute } from "../shared/tunable.ts";
import type { Operand } from "../testing/run-route.ts";
import { onMatricesOnly, runnableWithBinding } from "../testing/suite.ts";
import type { Expectation, KernelCase } from "../testing/suite.ts";
import { linearQ4gswReference, linearQ4gswWeightedSums } from "./linear-q4gsw.reference.ts";
import type { Q4Matrix } from "./linear-q4gsw.reference.ts";
import { linearHalvesQ4gsw, linearQ4gswTunable } from "./linear-q4gsw.ts";
import type { LinearQ4gswShape } from "./linear-q4gsw.ts";

/** How a case differs from a plain one: groups of 32, f16 scales, no bias, out [M, N]. */
export interface LinearCaseOptions {
  readonly label?: string;
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly bias?: boolean;
  readonly residual?: boolean;
  /** Largest live M, if not M; with it, M = 1 takes the route of many rows. */
  readonly maxM?: number;
  readonly outStride?: number;
  readonly outOffset?: number;
  /** Device limits to pretend. */
  readonly restrict?: CapabilityOverrides;
  readonly heavy?: string;
  /** Whatever a device may choose by measuring is checked. */
  readonly candidates?: true;
  /** x comes as halves, which only devices with subgroup matrices take. */
  readonly xHalves?: true;
}

type Live = { readonly M: number };

/**
 * Multiplications a reference may take. Up to here it has every output; beyond, a sample, and sums of as
 * many outputs each as keep it there.
 */
const REFERENCE_PRODUCTS = 2 ** 29;

const SEED = 4;

/** Reproducible random words; {@link randomNumbers}, without a call an element. */
function randomWords(length: number, seed: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    words[i] = t ^ (t >>> 14);
  }
  return words;
}

/** Exponent of scales that make weights as large as a trained layer's: about 1 / √K at most. */
const scaleExponent = (K: number): number => Math.floor(Math.log2(1 / (8 * Math.sqrt(K))));

/**
 * Random nibbles, those of the padding too (no kernel may depend on it), and scales of one binade
 * with random signs.
 */
export function randomMatrix(
  { N, K, groupSize, scaleType }: Pick<LinearQ4gswShape, "N" | "K" | "groupSize" | "scaleType">,
  seed = SEED,
): {
  matrix: Q4Matrix;
  scales: Uint16Array | Float32Array;
} {
  const weight = randomWords(N * Math.ceil(K / 8), seed);
  const count = N * (K / groupSize);
  if (scaleType === "f16") {
    const scales = new Uint16Array(randomWords(Math.ceil(count / 2), seed + 1).buffer, 0, count);
    const exponent = (scaleExponent(K) + 15) << 10;
    for (let i = 0; i < count; i++) scales[i] = (scales[i]! & 0x83ff) | exponent;
    const scaleAt = (index: number) => f16BitsToNumber(scales[index]!);
    return { matrix: { N, K, groupSize, weight, scaleAt }, scales };
  }
  const bits = randomWords(count, seed + 1);
  const exponent = (scaleExponent(K) + 127) << 23;
  for (let i = 0; i < count; i++) bits[i] = (bits[i]! & 0x807fffff) | exponent;
  const scales = new Float32Array(bits.buffer);
  return { matrix: { N, K, groupSize, weight, scaleAt: (index) => scales[index]! }, scales };
}

const all = (length: number): number[] => Array.from({ length }, (_, i) => i);

const makeResidual = (length: number) => ramp(length, 31, 15, 8);

/** What out must hold: everything, with NaN where nothing is written, or what shows a sample of it. */
function expectedOut(x: Float32Array, shape: LinearQ4gswShape, M: number): Expectation {
  const { N, K, hasBias, hasResidual, outStride = N, outOffset = 0 } = shape;
  const { matrix } = randomMatrix(shape);
  const bias = hasBias ? randomValues(N, SEED + 3) : undefined;
  const residual = hasResidual === true ? makeResidual(M * outStride) : undefined;
  const residualAt = (m: number, n: number) => residual?.[m * outStride + outOffset + n] ?? 0;
  const elements = (rows: readonly number[], columns: readonly number[]) => {
    const values = linearQ4gswReference(x, matrix, bias, rows, columns);
    rows.forEach((m, row) =>
      columns.forEach((n, column) => (values[row * columns.length + column]! += residualAt(m, n))),
    );
    return values;
  };
  if (M * N * K <= REFERENCE_PRODUCTS) {
    const product = elements(all(M), all(N));
    const values = new Float64Array(M * outStride).fill(Number.NaN);
    for (let m = 0; m < M; m++) {
      values.set(product.subarray(m * N, (m + 1) * N), m * outStride + outOffset);
    }
    return { type: "f32", values };
  }
  const columnsPerBlock = Math.ceil((M * N * K) / REFERENCE_PRODUCTS);
  const sums = (factors: Float64Array) => {
    const result = linearQ4gswWeightedSums(x, matrix, bias, factors, columnsPerBlock);
    const blocks = result.length / M;
    for (let m = 0; m < M; m++) {
      factors.forEach((factor, n) => {
        result[m * blocks + Math.floor(n / columnsPerBlock)]! += factor * residualAt(m, n);
      });
    }
    return result;
  };
  const layout = { rows: M, columns: N, rowStride: outStride, firstColumn: outOffset };
  return { type: "f32", matrix: { ...layout, elements, sums: { columnsPerBlock, of: sums } } };
}

/** A sum of K products in f32 is allowed more error where K is long. */
const toleranceFor = (K: number): Tolerance =>
  K >= 8192 ? { absolute: 1e-3, relative: 1e-2 } : { absolute: 1e-4, relative: 1e-3 };

/**
 * With weights rounded to f16: each product is off by up to 2⁻¹¹ of its size, and by as much again
 * where the scale is f32. For the outputs of these cases, 0.26 at most (root mean square), that makes
 * a standard deviation of 8e-5; a hundred thousand of them stay within five.
 */
const toleranceF16 = (K: number): Tolerance =>
  K >= 8192 ? { absolute: 1e-3, relative: 1e-2 } : { absolute: 4e-4, relative: 1e-3 };

/** Rows that are computed in f32 even where there are subgroup matrices. */
const FEW_ROWS = 32;

/** Whether many rows go to subgroup matrices, if more than {@link FEW_ROWS} are live. */
function takesMatrices(
  { N, K, groupSize, maxM = 1 }: LinearQ4gswShape,
  { f16, software, subgroups, subgroupMatrices, limits }: Capabilities,
): boolean {
  const sizes = subgroupMatrices
    .filter((config) => config.componentType === "f16" && config.resultComponentType === "f32")
    .map(({ M, N, K: inner }) => `${M}x${N}x${inner}`);
  const able = f16 && subgroups?.minSize === 32 && subgroups.maxSize === 32;
  const wholeBlocks = K % 32 === 0 && (groupSize === 16 || groupSize % 32 === 0);
  const suits = N >= 256 && wholeBlocks && maxM > FEW_ROWS;
  const lanes = limits.maxComputeInvocationsPerWorkgroup;
  return able && suits && sizes.includes("16x16x16") && lanes >= 128 && !software;
}

function caseName(M: number, shape: LinearQ4gswShape, options: LinearCaseOptions): string {
  const { N, K, groupSize, scaleType, hasBias, hasResidual, outStride, outOffset } = shape;
  return [
    options.label,
    `${M}x${K}x${N}`,
    `g${groupSize}`,
    scaleType,
    hasBias && "bias",
    hasResidual && "residual",
    options.xHalves && "halves",
    options.maxM !== undefined && `max ${options.maxM}`,
    outStride !== undefined && `columns ${outOffset ?? 0} of ${outStride}`,
    options.restrict?.limits !== undefined && JSON.stringify(options.restrict.limits),
  ]
    .filter(Boolean)
    .join(" ");
}

function linearCase(
  expectRoute: (capabilities: Capabilities) => string,
  [M, K, N]: readonly [M: number, K: number, N: number],
  options: LinearCaseOptions = {},
): KernelCase<Live> {
  const {
    groupSize = 32,
    scaleType = "f16",
    bias: hasBias = false,
    residual = false,
    restrict = {},
  } = options;
  const { maxM = M, outStride, outOffset, heavy, candidates, xHalves } = options;
  const shape: LinearQ4gswShape = {
    N,
    K,
    groupSize,
    scaleType,
    hasBias,
    ...(residual ? { hasResidual: true } : {}),
    ...(maxM === 1 ? { rows: "one" } : { rows: "many", maxM }),
    ...(outStride === undefined ? {} : { outStride }),
    ...(outOffset === undefined ? {} : { outOffset }),
  };
  const makeX = () => ramp(M * K, 17, 8, 16);
  const tunable = (capabilities: Capabilities) =>
    linearQ4gswTunable(shape, restrictCapabilities(capabilities, restrict));
  return {
    name: caseName(M, shape, options),
    route: (capabilities) =>
      xHalves === true
        ? linearHalvesQ4gsw(shape, restrictCapabilities(capabilities, restrict))
        : defaultRoute(tunable(capabilities)),
    ...(candidates === undefined
      ? {}
      : { candidates: (capabilities) => tunable(capabilities).candidates }),
    expectRoute: (capabilities) => {
      const available = restrictCapabilities(capabilities, restrict);
      const inBlocks = K % 32 === 0 && groupSize % 32 === 0;
      if (available.software && inBlocks) return "serial";
      return takesMatrices(shape, available) ? "gemm_subgroup_matrix" : expectRoute(available);
    },
    live: { M },
    operands: () => {
      const { matrix, scales } = randomMatrix(shape);
      const operands: Record<string, Operand> = {
        x: xHalves === true ? packHalves(makeX(), K) : makeX(),
        weight: matrix.weight,
        scales,
        out: { bytes: 4 * M * (outStride ?? N) },
      };
      // Longer than N, as files have it.
      if (hasBias) operands["bias"] = randomValues(Math.ceil(N / 4) * 4, SEED + 3);
      if (residual) operands["residual"] = makeResidual(M * (outStride ?? N));
      return operands;
    },
    expected: () => ({ out: expectedOut(makeX(), shape, M) }),
    tolerance: (capabilities) => {
      const available = restrictCapabilities(capabilities, restrict);
      return M > FEW_ROWS && takesMatrices(shape, available) ? toleranceF16(K) : toleranceFor(K);
    },
    ...runnableWithBinding(4 * N * Math.ceil(K / 8)),
    ...(xHalves === true
      ? onMatricesOnly((capabilities) => takesMatrices(shape, capabilities))
      : {}),
    ...(heavy === undefined ? {} : { heavy }),
  };
}

/** Sizes as the operator's tables give them: M rows of x, K, N outputs. */
type Sizes = readonly [M: number, K: number, N: number];

/** One row of x along K. */
export function gemvCase([K, N]: readonly [K: number, N: number], options?: LinearCaseOptions) {
  return linearCase(
    ({ subgroups }) => (subgroups === undefined ? "gemv_workgroup" : "gemv_subgroups"),
    [1, K, N],
    options,
  );
}

/** A largest M that makes large tiles pay for any N. */
export const MANY_ROWS = 8192;

/** Many rows in the large tiles, where the device can have them. */
export function gemmCase(sizes: Sizes, options?: LinearCaseOptions) {
  return linearCase(
    ({ limits }) =>
      limits.maxComputeInvocationsPerWorkgroup >= 256 ? "gemm_tiled_64" : "gemm_tiled_32",
    sizes,
    { maxM: MANY_ROWS, ...options },
  );
}

/** Few rows, or few of the large tiles. */
export function smallGemmCase(sizes: Sizes, options?: LinearCaseOptions) {
  return linearCase(() => "gemm_tiled_32", sizes, options);
}

/** A K or group size that no other route takes. */
export function fallbackCase(sizes: Sizes, options?: LinearCaseOptions) {
  return linearCase(() => "fallback", sizes, options);
}

/** Rows as halves, on devices with subgroup matrices. */
export function halvesCase(sizes: Sizes, options?: LinearCaseOptions) {
  return linearCase(() => "gemm_subgroup_matrix", sizes, {
    maxM: MANY_ROWS,
    ...options,
    xHalves: true,
  });
}
