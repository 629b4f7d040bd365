/** First index of the largest (smallest) element along the middle of x [outer, width, inner], or NaN's. */
export function argmaxReference(
  op: "argmax" | "argmin",
  x: ArrayLike<number>,
  width: number,
  inner = 1,
): Int32Array {
  const direction = op === "argmax" ? 1 : -1;
  return Int32Array.from({ length: x.length / width }, (_, row) => {
    const start = Math.floor(row / inner) * width * inner + (row % inner);
    let best = 0;
    for (let c = 0; c < width; c++) {
      const value = x[start + c * inner]!;
      if (Number.isNaN(value)) return c;
      if (direction * value > direction * x[start + best * inner]!) best = c;
    }
    return best;
  });
}
