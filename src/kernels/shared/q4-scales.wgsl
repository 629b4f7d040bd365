// Reads the scales of 4-bit matrices. The kernel declares `scales: array<u32>`: one f32 a word, or two
// f16 a word, which need no f16 arithmetic to be read.
const SCALES_F16: bool = true; // @param

fn read_scale(index: u32) -> f32 {
  if (SCALES_F16) {
    let pair = unpack2x16float(scales[index >> 1u]);
    return select(pair.x, pair.y, (index & 1u) == 1u);
  }
  return bitcast<f32>(scales[index]);
}
