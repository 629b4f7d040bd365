import type { RopeScaling, RowSource } from "../checkpoint.ts";

/**
 * Frequencies of rotary position embedding (Su et al., 2021), [rotarySize / 2]: θ^(−2i/R), changed
 * by the model's scaling. `factors` are the divisors of scaling type "factors".
 */
export function rotaryFrequencies(
  rotarySize: number,
  theta: number,
  scaling: RopeScaling | undefined,
  factors?: Float32Array,
): Float64Array {
  return Float64Array.from({ length: rotarySize / 2 }, (_, i) => {
    const frequency = theta ** ((-2 * i) / rotarySize);
    switch (scaling?.type) {
      case undefined:
        return frequency;
      case "linear":
        return frequency / scaling.factor;
      case "factors":
        return frequency / (factors?.[i] ?? 1);
      case "llama3":
        return scaleLlama3(frequency, scaling);
      default:
        throw new Error(`rope: ${JSON.stringify(scaling satisfies never)}`);
    }
  });
}

/**
 * Llama 3.1's scaling: long wavelengths are stretched by the factor, short ones kept, and those in
 * between interpolated.
 */
function scaleLlama3(
  frequency: number,
  scaling: Extract<RopeScaling, { type: "llama3" }>,
): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContextLength } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalContextLength / highFrequencyFactor) return frequency;
  if (wavelength > originalContextLength / lowFrequencyFactor) return frequency / factor;
  const smooth =
    (originalContextLength / wavelength - lowFrequencyFactor) /
    (highFrequencyFactor - lowFrequencyFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/**
 * A table of `fn(position · frequency)` as f32, [positions, frequencies × repeats], computed row by
 * row as it is uploaded. With `repeats` 2 the columns come twice, as `apply_rotary_emb_hf` wants.
 */
export function rotaryTable(
  fn: (angle: number) => number,
  frequencies: Float64Array,
  positions: number,
  repeats: 1 | 2,
): RowSource {
  const half = frequencies.length;
  const width = half * repeats;
  return {
    rows: positions,
    storedRowBytes: 4 * width,
    planeRowBytes: [4 * width],
    read(start, count) {
      const table = new Float32Array(count * width);
      for (let row = 0; row < count; row++) {
        for (let i = 0; i < half; i++) {
          const value = fn((start + row) * frequencies[i]!);
          for (let repeat = 0; repeat < repeats; repeat++) {
            table[row * width + repeat * half + i] = value;
          }
        }
      }
      return Promise.resolve([new Uint8Array(table.buffer)]);
    },
  };
}
