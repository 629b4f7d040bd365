import type { RotaryShape } from "./apply-rotary-emb.ts";

/**
 * Rotary embedding of x [S, heads, headSize] in float64, with the rows of the tables [rows,
 * tableWidth] from `position` on.
 */
export function applyRotaryEmbReference(
  x: ArrayLike<number>,
  heads: number,
  cos: ArrayLike<number>,
  sin: ArrayLike<number>,
  shape: RotaryShape,
  position: number,
): Float64Array {
  const { headSize, rotarySize, layout, tableWidth } = shape;
  const half = rotarySize / 2;
  const out = Float64Array.from(x);
  for (let start = 0; start < x.length; start += headSize) {
    const row = (position + Math.floor(start / (heads * headSize))) * tableWidth;
    for (let i = 0; i < half; i++) {
      const a = start + (layout === "half" ? i : 2 * i);
      const b = layout === "half" ? a + half : a + 1;
      const j = layout === "half" && tableWidth >= rotarySize ? i + half : i;
      out[a] = x[a]! * cos[row + i]! - x[b]! * sin[row + i]!;
      out[b] = x[b]! * cos[row + j]! + x[a]! * sin[row + j]!;
    }
  }
  return out;
}
