// The nearest integer, halves to the even one. WGSL's round() promises the same, but Mesa's llvmpipe
// with 512-bit vectors (25.x, November 2026) rounds halves away from zero.
fn round_half_even(x: f32) -> f32 {
  let below = floor(x);
  let rest = x - below;
  let half = below * 0.5;
  let odd = floor(half) != half;
  return select(below, below + 1.0, rest > 0.5 || (rest == 0.5 && odd));
}
