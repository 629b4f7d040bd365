/** Scale and zero point of a row, each exactly as specified. */
export interface RowQuantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

const SMALLEST_SCALE = 6.1e-5;

function roundHalfEven(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

/** {@link chooseQparams} of one row, in float64. */
export function chooseQparamsReference(
  row: ArrayLike<number>,
  quantMin = -128,
  quantMax = 127,
): RowQuantization {
  let low = 0;
  let high = 0;
  for (let i = 0; i < row.length; i++) {
    low = Math.min(low, row[i]!);
    high = Math.max(high, row[i]!);
  }
  const steps = quantMax - quantMin;
  let scale = (high - low) / steps;
  if (scale === 0) scale = 0.1;
  if (scale < SMALLEST_SCALE) {
    if (low === 0) high = SMALLEST_SCALE * steps;
    else if (high === 0) low = -SMALLEST_SCALE * steps;
    else {
      low *= SMALLEST_SCALE / scale;
      high *= SMALLEST_SCALE / scale;
    }
    scale = SMALLEST_SCALE;
  }
  const lowIsBetter =
    Math.abs(quantMin) - Math.abs(low / scale) < Math.abs(quantMax) - Math.abs(high / scale);
  const candidate = lowIsBetter ? quantMin - low / scale : quantMax - high / scale;
  const zeroPoint = roundHalfEven(Math.min(Math.max(candidate, quantMin), quantMax));
  return { scale, zeroPoint };
}
