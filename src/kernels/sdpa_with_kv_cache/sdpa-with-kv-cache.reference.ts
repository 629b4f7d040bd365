/** Inputs of {@link sdpaReference}; sizes as in `SdpaShape`. */
export interface SdpaReferenceInput {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly scale: number;
  /** Position of the first query row. */
  readonly position: number;
  /** [S, Hq, D] */
  readonly q: ArrayLike<number>;
  /** Caches in which the rows of this call are written already: [positions, Hkv, D]. */
  readonly kCache: ArrayLike<number>;
  readonly vCache: ArrayLike<number>;
}

/** Attention of a row, and the largest score and the sum of exp(score − maximum) on the way. */
interface AttendedRow {
  readonly out: Float64Array;
  readonly maximum: number;
  readonly sum: number;
}

/** Attention in float64 of one row of q [S, Hq], the given one: [D]. */
export const sdpaReferenceRow = (input: SdpaReferenceInput, row: number): Float64Array =>
  attendedRow(input, row).out;

function attendedRow(input: SdpaReferenceInput, row: number): AttendedRow {
  const { heads, kvHeads, headSize, scale, position, q, kCache, vCache } = input;
  const kvHead = Math.floor((row % heads) / (heads / kvHeads));
  const context = position + Math.floor(row / heads) + 1;
  const scores = new Float64Array(context);
  let maximum = -Infinity;
  for (let c = 0; c < context; c++) {
    const key = (c * kvHeads + kvHead) * headSize;
    let dot = 0;
    for (let d = 0; d < headSize; d++) dot += q[row * headSize + d]! * kCache[key + d]!;
    scores[c] = dot * scale;
    maximum = Math.max(maximum, dot * scale);
  }
  const out = new Float64Array(headSize);
  let sum = 0;
  for (let c = 0; c < context; c++) {
    const weight = Math.exp(scores[c]! - maximum);
    const value = (c * kvHeads + kvHead) * headSize;
    sum += weight;
    for (let d = 0; d < headSize; d++) out[d]! += weight * vCache[value + d]!;
  }
  return { out: out.map((value) => value / sum), maximum, sum };
}

/**
 * Attention in float64 of one query row over runs of positions each alone, which begin at `starts`: partial_out
 * [Hq, splits, D] and partial_stats [splits, Hq, 2], maximum as a power of two, and sum.
 */
export function sdpaPartialsReference(input: SdpaReferenceInput, starts: readonly number[]) {
  const { heads, kvHeads, headSize, position, kCache, vCache } = input;
  const splits = starts.length;
  const partial_out = new Float64Array(heads * splits * headSize);
  const partial_stats = new Float64Array(2 * splits * heads);
  for (const [split, start] of starts.entries()) {
    const end = starts[split + 1] ?? position + 1;
    const row = kvHeads * headSize;
    const run = {
      ...input,
      position: end - start - 1,
      kCache: Float64Array.from(kCache).subarray(start * row),
      vCache: Float64Array.from(vCache).subarray(start * row),
    };
    for (let head = 0; head < heads; head++) {
      const { out, maximum, sum } = attendedRow(run, head);
      partial_out.set(out, (head * splits + split) * headSize);
      partial_stats.set([maximum * Math.LOG2E, sum], 2 * (split * heads + head));
    }
  }
  return { partial_out, partial_stats };
}

/** Attention in float64 of every row of q: [S, Hq, D]. */
export function sdpaReference(input: SdpaReferenceInput): Float64Array {
  const out = new Float64Array(input.q.length);
  for (let row = 0; row < input.q.length / input.headSize; row++) {
    out.set(sdpaReferenceRow(input, row), row * input.headSize);
  }
  return out;
}
