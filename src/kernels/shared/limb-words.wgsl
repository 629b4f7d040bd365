// A group of 16 values becomes limbs (layout: src/quant/int8-limbs.ts), eight values a lane: two
// neighbouring lanes of a subgroup hold a group. Call in uniform control flow.
requires packed_4x8_integer_dot_product;

// 127 · 256: the largest integer whose limbs are signed bytes on both sides of zero.
const LIMB_LIMIT: f32 = 32512.0;
// A group of smaller values counts as zeros: the inverse of its scale would be no number.
const SMALLEST: f32 = 1e-30;

// An octet's word of each plane.
struct LimbWords {
  high_even: u32,
  high_odd: u32,
  low_even: u32,
  low_odd: u32,
  rest: u32, // a sixteenth of the group's scale from its first octet, its squares from the second
}

fn limb_words(first: vec4<f32>, second: vec4<f32>, squares: f32, octet: u32) -> LimbWords {
  let most = max(abs(first), abs(second));
  var largest = max(max(most.x, most.y), max(most.z, most.w));
  largest = max(largest, subgroupShuffleXor(largest, 1u));
  let has_values = largest > SMALLEST;
  let stored_scale = select(0.0, largest / (16.0 * LIMB_LIMIT), has_values);
  let inverse = select(0.0, LIMB_LIMIT / max(largest, SMALLEST), has_values);
  let limit = vec4<f32>(LIMB_LIMIT);
  let a = vec4<i32>(clamp(round(first * inverse), -limit, limit));
  let b = vec4<i32>(clamp(round(second * inverse), -limit, limit));
  let even = vec4<i32>(a.xz, b.xz);
  let odd = vec4<i32>(a.yw, b.yw);
  // Packing keeps the low byte; what is left after it, rounded, is the high one.
  return LimbWords(
    pack4xI8((even + 128) >> vec4<u32>(8u)),
    pack4xI8((odd + 128) >> vec4<u32>(8u)),
    pack4xI8(even),
    pack4xI8(odd),
    bitcast<u32>(select(stored_scale, squares, octet % 2u == 1u)),
  );
}

// Σ of squares of a group.
fn group_squares(first: vec4<f32>, second: vec4<f32>) -> f32 {
  let squares = dot(first, first) + dot(second, second);
  return squares + subgroupShuffleXor(squares, 1u);
}
