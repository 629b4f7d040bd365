/** A quantity that was measured several times. */
export interface Measurement {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Quartiles, by linear interpolation: half of the runs lie between them. */
  readonly quartiles: readonly [lower: number, upper: number];
  /** In the order of measuring. */
  readonly runs: readonly number[];
}

/** The value that a part of `sorted` lies below, interpolated between neighbours. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at % 1);
}

/** Median and spread of at least one run. */
export function measurementOf(runs: readonly number[]): Measurement {
  if (runs.length === 0) throw new Error("bench: nothing was measured");
  const sorted = [...runs].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    min: sorted[0]!,
    max: sorted.at(-1)!,
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    runs,
  };
}

/** The same runs in another unit, such as a rate from a time; `convert` may turn their order around. */
export function convertMeasurement(
  { runs }: Measurement,
  convert: (value: number) => number,
): Measurement {
  return measurementOf(runs.map((value) => convert(value)));
}

/** How far the runs lie apart, of their median. */
export function relativeSpread({ median, min, max }: Measurement): number {
  return median === 0 ? 0 : (max - min) / median;
}
