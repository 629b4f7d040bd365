/** First index of the largest (smallest) element of each row, or of its first NaN. */
export function argmaxReference(
  op: "argmax" | "argmin",
  x: ArrayLike<number>,
  width: number,
): Int32Array {
  const direction = op === "argmax" ? 1 : -1;
  return Int32Array.from({ length: x.length / width }, (_, row) => {
    let best = 0;
    for (let c = 0; c < width; c++) {
      const value = x[row * width + c]!;
      if (Number.isNaN(value)) return c;
      if (direction * value > direction * x[row * width + best]!) best = c;
    }
    return best;
  });
}
