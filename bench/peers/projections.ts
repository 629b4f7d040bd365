/**
 * Single 4-bit products of a model's shapes, by one protocol for every engine: a graph of many of them
 * and a graph of one are run by turns, and what the first takes longer is shared among the others. What
 * a run costs besides (reaching the GPU and coming back) is in both.
 */
import { modelShape } from "../../src/bench/shapes.ts";
import { randomQ4Matrix } from "../../src/bench/random-checkpoint.ts";
import { measurementOf } from "../../src/bench/statistics.ts";
import { warmUp } from "../../src/bench/warm-up.ts";
import type { Q4Matrix } from "../../src/checkpoint.ts";
import { dequantizeQ4Row } from "../../src/quant/q4gsw.ts";

/** y [M, N] = x [M, K] · weightᵀ. */
export interface Projection {
  readonly name: string;
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

export interface ProjectionResult {
  readonly projection: Projection;
  /** Of one product, a run each. */
  readonly microseconds: readonly number[];
}

/** A graph of products of one x with matrices of their own. */
export interface ProjectionGraph {
  /** Computes all of them; resolves with the first outputs of the last one's first row. */
  run(): Promise<Float32Array>;
  dispose(): Promise<void>;
}

export interface ProjectionEngine {
  readonly title: string;
  readonly device: string;
  /** Whether a single row is normalised before each product, by a norm whose weights are one. */
  readonly normalizesRow: boolean;
  /** Largest difference that its arithmetic may make, of the outputs' root mean square. */
  readonly tolerance: number;
  build(
    projection: Projection,
    matrices: readonly Q4Matrix[],
    x: Float32Array,
  ): Promise<ProjectionGraph>;
  close(): Promise<void>;
}

/** Outputs that are looked at. */
export const SAMPLED_OUTPUTS = 16;

/** Bytes of a row's matrices, so that no cache holds the next one, within a number of them. */
const ROTATED_BYTES = 2 ** 28;
const MIN_PRODUCTS = 8;
const MAX_PRODUCTS = 64;
/** Products of a prompt compute much longer than they read. */
const PROMPT_PRODUCTS = 8;

const NORM_EPSILON = 1e-5;

/** A decoded token's products and those of prompts, of which only the last row meets the vocabulary. */
export function projectionsOf(shapeName: string, promptRows: readonly number[]): Projection[] {
  const { hiddenSize, heads, kvHeads, headSize, feedForwardSize, vocabularySize } =
    modelShape(shapeName).hyperparameters;
  const products = (M: number): Projection[] => [
    { name: "q", M, K: hiddenSize, N: heads * headSize },
    { name: "k, v", M, K: hiddenSize, N: kvHeads * headSize },
    { name: "gate, up", M, K: hiddenSize, N: feedForwardSize },
    { name: "down", M, K: feedForwardSize, N: hiddenSize },
  ];
  const output = { name: "output", M: 1, K: hiddenSize, N: vocabularySize };
  return [...products(1), output, ...promptRows.flatMap(products)];
}

/** Times one product; rejects where the last one's outputs are not those of float64. */
export async function measureProjection(
  engine: ProjectionEngine,
  projection: Projection,
  runs: number,
): Promise<ProjectionResult> {
  const { M, N, K } = projection;
  const copies =
    M > 1
      ? PROMPT_PRODUCTS
      : Math.min(
          MAX_PRODUCTS,
          Math.max(MIN_PRODUCTS, Math.ceil(ROTATED_BYTES / ((N * K * 9) / 16))),
        );
  const matrices = Array.from({ length: 1 + copies }, (_, i) =>
    randomQ4Matrix(`projection.${i}`, N, K),
  );
  const x = activations(M * K);
  const one = await engine.build(projection, matrices.slice(0, 1), x);
  const many = await engine.build(projection, matrices, x);
  try {
    await checkOutputs(engine, projection, matrices.at(-1), x, await many.run());
    await warmUp(false, () => many.run());
    const [single, all] = [[] as number[], [] as number[]];
    for (let run = 0; run < runs; run++) {
      const began = performance.now();
      await one.run();
      const between = performance.now();
      await many.run();
      single.push(between - began);
      all.push(performance.now() - between);
    }
    const rest = measurementOf(single).median;
    const microseconds = all.map((ms) => (1000 * (ms - rest)) / copies);
    return { projection, microseconds };
  } finally {
    await one.dispose();
    await many.dispose();
  }
}

/** Whole multiples of 2^-10 in [−1, 1): f16 holds them and their halves. */
function activations(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 21) / 1024 - 1;
  });
}

async function checkOutputs(
  { normalizesRow, tolerance }: ProjectionEngine,
  { name, M, K }: Projection,
  matrix: Q4Matrix | undefined,
  x: Float32Array,
  outputs: Float32Array,
): Promise<void> {
  if (matrix === undefined) throw new Error("there is no product");
  const row = x.subarray(0, K);
  const meanSquare = row.reduce((sum, value) => sum + value * value, 0) / K;
  const factor = normalizesRow && M === 1 ? 1 / Math.sqrt(meanSquare + NORM_EPSILON) : 1;
  const [weight, scales] = await matrix.data.read(0, SAMPLED_OUTPUTS);
  if (weight === undefined || scales === undefined) throw new Error("a matrix has two planes");
  const { columns, groupSize } = matrix;
  const planes = {
    rows: SAMPLED_OUTPUTS,
    columns,
    groupSize,
    weight,
    scales: new Uint16Array(scales.buffer),
    scaleType: "f16",
  } as const;
  const expected = Float64Array.from({ length: SAMPLED_OUTPUTS }, (_, n) =>
    dequantizeQ4Row(planes, n).reduce((sum, value, k) => sum + value * factor * (row[k] ?? 0), 0),
  );
  const size = Math.sqrt(expected.reduce((sum, value) => sum + value ** 2, 0) / SAMPLED_OUTPUTS);
  const errors = expected.map((value, n) => Math.abs((outputs[n] ?? NaN) - value) / size);
  const worst = errors.find((error) => !(error <= tolerance));
  if (worst !== undefined) {
    throw new Error(
      `${name} of ${M} rows: an output is off by ${worst.toPrecision(2)} of its size`,
    );
  }
}
