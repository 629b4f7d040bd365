/**
 * Checks a matrix of outputs that is too large for a reference of every element: all elements are
 * written and none beside them, a random sample is right, and weighted sums over all of them are.
 */
import { compare } from "./compare.ts";
import type { Deviation, Tolerance } from "./compare.ts";
import { randomNumbers } from "./data.ts";

/** Where the matrix lies in its row-major buffer, which may be wider: the rest of that stays unwritten. */
export interface MatrixLayout {
  readonly rows: number;
  readonly columns: number;
  /** Elements from a row to the next; `columns` if absent. */
  readonly rowStride?: number;
  /** Column of the buffer the matrix begins at; 0 if absent. */
  readonly firstColumn?: number;
}

/** What is known of such a matrix, in float64. */
export interface MatrixReference extends MatrixLayout {
  /** The elements in some rows and columns: [rows, columns]. */
  readonly elements: (rows: readonly number[], columns: readonly number[]) => ArrayLike<number>;
  /** Absent where a sum of elements costs as much as the elements. */
  readonly sums?: WeightedSums;
}

/** Sums over blocks of neighbouring columns of a row, found without the elements. */
export interface WeightedSums {
  readonly columnsPerBlock: number;
  /** Σ factors[n] · out[m, n] over each block's columns n: [rows, blocks]. */
  readonly of: (factors: Float64Array) => Float64Array;
}

const SAMPLED_ROWS = 8;
const SAMPLED_COLUMNS = 96;

/**
 * Standard deviations that a weighted sum of errors may be off. By Hoeffding's inequality it is off by
 * more once in thirty million sums, even if every element is as wrong as its tolerance allows.
 */
const SUM_DEVIATIONS = 6;
const REPORTED_FAILURES = 5;

/** `count` of 0 … length − 1, the two at each end among them; all where there are no more. */
function sampleIndices(length: number, count: number, random: () => number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  const chosen = new Set([0, 1, length - 2, length - 1]);
  while (chosen.size < count) chosen.add(Math.floor(random() * length));
  return [...chosen].sort((a, b) => a - b);
}

/** What went wrong, counted and the first few of it told. */
class Failures {
  count = 0;
  readonly lines: string[] = [];
  add(line: () => string): void {
    this.count += 1;
    if (this.lines.length < REPORTED_FAILURES) this.lines.push(line());
  }
}

/** Every element of the matrix is a number; all others hold the NaN they started as. */
function checkWritten(actual: ArrayLike<number>, layout: MatrixLayout, failures: Failures): void {
  const { rows, columns, rowStride = columns, firstColumn = 0 } = layout;
  for (let m = 0; m < rows; m++) {
    for (let column = 0; column < rowStride; column++) {
      const n = column - firstColumn;
      const wanted = n >= 0 && n < columns;
      const value = actual[m * rowStride + column] ?? Number.NaN;
      if (Number.isNaN(value) !== wanted) continue;
      failures.add(() =>
        wanted ? `[${m}, ${n}] is not a number` : `[${m}, ${n}] outside is overwritten by ${value}`,
      );
    }
  }
}

/**
 * Factors between ½ and 1 of random sign: none hides an element, and the errors of a sum's elements,
 * whatever they have in common, add up like independent ones.
 */
function randomFactors(count: number, random: () => number): Float64Array {
  return Float64Array.from({ length: count }, () => {
    const value = 2 * random() - 1;
    return Math.sign(value || 1) * (0.5 + Math.abs(value) / 2);
  });
}

function checkSums(
  actual: ArrayLike<number>,
  { rows, columns, rowStride = columns, firstColumn = 0 }: MatrixLayout,
  { columnsPerBlock, of }: WeightedSums,
  { absolute, relative }: Tolerance,
  random: () => number,
  failures: Failures,
): void {
  const factors = randomFactors(columns, random);
  const expected = of(factors);
  const blocks = Math.ceil(columns / columnsPerBlock);
  // Of an element within the tolerance, what is relative to the reference is at most this of itself.
  const relativeToActual = relative / (1 - relative);
  for (let m = 0; m < rows; m++) {
    for (let block = 0; block < blocks; block++) {
      const start = block * columnsPerBlock;
      const end = Math.min(start + columnsPerBlock, columns);
      let sum = 0;
      let variance = 0;
      for (let n = start; n < end; n++) {
        const value = actual[m * rowStride + firstColumn + n] ?? Number.NaN;
        sum += factors[n]! * value;
        variance += (factors[n]! * Math.max(absolute, relativeToActual * Math.abs(value))) ** 2;
      }
      const allowed = SUM_DEVIATIONS * Math.sqrt(variance);
      const off = Math.abs(sum - expected[m * blocks + block]!);
      if (off <= allowed) continue;
      failures.add(
        () =>
          `row ${m}, columns ${start} to ${end - 1}: a weighted sum is off by ` +
          `${off.toExponential(2)}, at most ${allowed.toExponential(2)} allowed`,
      );
    }
  }
}

/**
 * Compares a whole buffer with what is known of the matrix in it. Rows and columns of the sample and
 * the factors of the sums follow from `seed`: draw it after the run.
 */
export function checkMatrix(
  actual: ArrayLike<number>,
  reference: MatrixReference,
  tolerance: Tolerance,
  seed: number,
): Deviation {
  const { rows, columns, rowStride = columns, firstColumn = 0, sums } = reference;
  const random = randomNumbers(seed);
  const failures = new Failures();
  checkWritten(actual, reference, failures);
  const sampledRows = sampleIndices(rows, SAMPLED_ROWS, random);
  const sampledColumns = sampleIndices(columns, SAMPLED_COLUMNS, random);
  const sample = compare(
    actual,
    reference.elements(sampledRows, sampledColumns),
    tolerance,
    sampledRows.flatMap((m) => sampledColumns.map((n) => m * rowStride + firstColumn + n)),
  );
  if (sums !== undefined) checkSums(actual, reference, sums, tolerance, random, failures);
  const count = sample.failures + failures.count;
  const lines = [sample.report, ...failures.lines].filter((line) => line !== "");
  if (count > 0) lines.push(`sample and sums were drawn with seed ${seed}`);
  return { ...sample, failures: count, report: lines.join("\n") };
}
