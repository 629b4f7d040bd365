/**
 * Attention's output [Hq, D] from its splits, in float64: partial_out [Hq, splits, D] is attention over
 * each alone, partial_stats [splits, Hq, 2] maximum (as a power of two) and sum.
 */
export function joinSplitsReference(
  partialOut: ArrayLike<number>,
  partialStats: ArrayLike<number>,
  heads: number,
  splits: number,
  headSize: number,
): Float64Array {
  const out = new Float64Array(heads * headSize);
  for (let head = 0; head < heads; head++) {
    const all = Array.from({ length: splits }, (_, split) => split);
    const statistic = (split: number, which: number) =>
      partialStats[2 * (split * heads + head) + which]!;
    const maximum = Math.max(...all.map((split) => statistic(split, 0)));
    const weights = all.map((split) => 2 ** (statistic(split, 0) - maximum) * statistic(split, 1));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const split of all) {
      const row = (head * splits + split) * headSize;
      for (let d = 0; d < headSize; d++) {
        out[head * headSize + d]! += (weights[split]! / total) * partialOut[row + d]!;
      }
    }
  }
  return out;
}
