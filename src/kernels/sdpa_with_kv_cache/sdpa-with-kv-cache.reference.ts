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

/** Attention in float64 of one row of q [S, Hq], the given one: [D]. */
export function sdpaReferenceRow(input: SdpaReferenceInput, row: number): Float64Array {
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
  return out.map((value) => value / sum);
}

/** Attention in float64 of every row of q: [S, Hq, D]. */
export function sdpaReference(input: SdpaReferenceInput): Float64Array {
  const out = new Float64Array(input.q.length);
  for (let row = 0; row < input.q.length / input.headSize; row++) {
    out.set(sdpaReferenceRow(input, row), row * input.headSize);
  }
  return out;
}
