/** {@link layerNorm} in float64: x [rows, width] → out [rows, width], mean and rstd [rows]. */
export function layerNormReference(
  x: ArrayLike<number>,
  width: number,
  epsilon: number,
  weight: ArrayLike<number> | undefined,
  bias: ArrayLike<number> | undefined,
): { out: Float64Array; mean: Float64Array; rstd: Float64Array } {
  const rows = x.length / width;
  const out = new Float64Array(x.length);
  const mean = new Float64Array(rows);
  const rstd = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const values = Array.from({ length: width }, (_, c) => x[row * width + c]!);
    const average = values.reduce((sum, value) => sum + value, 0) / width;
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / width;
    mean[row] = average;
    rstd[row] = 1 / Math.sqrt(variance + epsilon);
    values.forEach((value, c) => {
      out[row * width + c] = (value - average) * rstd[row]! * (weight?.[c] ?? 1) + (bias?.[c] ?? 0);
    });
  }
  return { out, mean, rstd };
}
