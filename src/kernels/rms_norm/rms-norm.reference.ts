/** {@link rmsNorm} in float64: x [rows, width], weight [width] → out [rows, width]. */
export function rmsNormReference(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  epsilon: number,
): Float64Array {
  const width = weight.length;
  const out = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += width) {
    let squares = 0;
    for (let c = 0; c < width; c++) squares += x[start + c]! ** 2;
    const scale = 1 / Math.sqrt(squares / width + epsilon);
    for (let c = 0; c < width; c++) out[start + c] = x[start + c]! * scale * weight[c]!;
  }
  return out;
}
