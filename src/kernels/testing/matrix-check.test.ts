import { describe, expect, test } from "vitest";
import { randomMatrix } from "../linear_q4gsw/linear-q4gsw.cases.ts";
import {
  linearQ4gswReference,
  linearQ4gswWeightedSums,
} from "../linear_q4gsw/linear-q4gsw.reference.ts";
import { ramp, randomNumbers, randomValues } from "./data.ts";
import { checkMatrix } from "./matrix-check.ts";
import type { MatrixReference } from "./matrix-check.ts";

const [M, K, N] = [40, 256, 700];
const [ROW_STRIDE, FIRST_COLUMN] = [731, 9];
const TOLERANCE = { absolute: 1e-4, relative: 1e-3 };
const SEEDS = Array.from({ length: 20 }, (_, i) => i);

const all = (length: number) => Array.from({ length }, (_, i) => i);

const { matrix } = randomMatrix({ N, K, groupSize: 32, scaleType: "f16" });
const x = ramp(M * K, 17, 8, 16);
const bias = randomValues(N, 1).map((value) => value / 4);

const reference = (columnsPerBlock: number): MatrixReference => ({
  rows: M,
  columns: N,
  rowStride: ROW_STRIDE,
  firstColumn: FIRST_COLUMN,
  elements: (rows, columns) => linearQ4gswReference(x, matrix, bias, rows, columns),
  sums: {
    columnsPerBlock,
    of: (factors) => linearQ4gswWeightedSums(x, matrix, bias, factors, columnsPerBlock),
  },
});

const exact = linearQ4gswReference(x, matrix, bias, all(M), all(N));

const at = (m: number, n: number) => m * ROW_STRIDE + FIRST_COLUMN + n;

/** The output as a kernel leaves it, each element off by `error`. */
function output(error: (m: number, n: number) => number = () => 0): Float32Array {
  const out = new Float32Array(M * ROW_STRIDE).fill(Number.NaN);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) out[at(m, n)] = exact[m * N + n]! + error(m, n);
  }
  return out;
}

const failuresOf = (out: Float32Array, seed: number, columnsPerBlock = 64) =>
  checkMatrix(out, reference(columnsPerBlock), TOLERANCE, seed).failures;

describe("checkMatrix", () => {
  test("passes what is exact, with blocks of any size", () => {
    for (const columnsPerBlock of [1, 7, 64, N, 2 * N]) {
      expect(checkMatrix(output(), reference(columnsPerBlock), TOLERANCE, 3).report).toBe("");
    }
  });

  test("passes errors within the tolerance, in one direction or at random", () => {
    const random = randomNumbers(5);
    const upwards = output(() => 0.9e-4);
    const scattered = output(() => (random() < 0.5 ? -0.9e-4 : 0.9e-4));
    for (const seed of SEEDS) {
      expect(failuresOf(upwards, seed)).toBe(0);
      expect(failuresOf(scattered, seed)).toBe(0);
    }
  });

  test("finds one wrong element anywhere, whatever the sample", () => {
    const random = randomNumbers(6);
    for (const seed of SEEDS) {
      const [m, n] = [2 + Math.floor(random() * (M - 4)), 2 + Math.floor(random() * (N - 4))];
      const out = output();
      out[at(m, n)]! += 0.03;
      expect(failuresOf(out, seed), `[${m}, ${n}], seed ${seed}`).toBeGreaterThan(0);
    }
  });

  test("names the row and columns of a wrong element, and the seed", () => {
    const out = output();
    out[at(17, 130)]! += 0.1;
    expect(checkMatrix(out, reference(64), TOLERANCE, 9).report).toMatch(
      /row 17, columns 128 to 191: a weighted sum is off by .*\n.*seed 9$/,
    );
  });

  test("finds two columns in each other's place, and errors that cancel in a plain sum", () => {
    const exchanged = output((m, n) => {
      if (n !== 300 && n !== 310) return 0;
      return exact[m * N + 610 - n]! - exact[m * N + n]!;
    });
    const cancelling = output((m, n) => (m === 20 ? (n === 300 ? 0.5 : n === 310 ? -0.5 : 0) : 0));
    for (const out of [exchanged, cancelling]) {
      const found = SEEDS.filter((seed) => failuresOf(out, seed) > 0);
      // Missed only where both columns are drawn nearly the same factor.
      expect(found.length).toBeGreaterThan(15);
    }
  });

  test("finds an error too small for the sums in the sample, at the corners always", () => {
    const out = output((m, n) => (m === M - 1 && n === N - 2 ? 5e-3 : 0));
    for (const seed of SEEDS) expect(failuresOf(out, seed, N)).toBe(1);
    const column = output((_, n) => (n === 333 ? 5e-3 : 0));
    const found = all(100).filter((seed) => failuresOf(column, seed, N) > 0).length;
    // 92 of 696 columns besides the four at the ends.
    expect(found).toBeGreaterThan(3);
    expect(found).toBeLessThan(30);
  });

  test("finds an element nobody wrote, and one beside the matrix that somebody did", () => {
    const unwritten = output();
    unwritten[at(21, 401)] = Number.NaN;
    expect(checkMatrix(unwritten, reference(64), TOLERANCE, 1).report).toMatch(
      /^\[21, 401\] is not a number/m,
    );
    const beside = output();
    beside[at(5, -1)] = 0;
    beside[at(6, N)] = 1;
    const { failures, report } = checkMatrix(beside, reference(64), TOLERANCE, 1);
    expect(failures).toBe(2);
    expect(report).toMatch(/^\[5, -1\] outside.*\n\[6, 700\] outside/m);
  });
});
