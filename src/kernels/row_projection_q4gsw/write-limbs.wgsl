// Writes a row as two int8 limbs for input-limbs.wgsl (layout: src/quant/int8-limbs.ts). With NORM it
// is the first half of rms_norm: x[c] · weight[c], and in each group's padding the sum of x², from
// which the projection finds 1 / √(mean of x² + epsilon) without waiting for anyone. A lane takes
// whole groups of 32 values, so their largest and their sums need no other lane.
requires packed_4x8_integer_dot_product;

override WORKGROUP_SIZE: u32 = 32u;

const NORM: bool = true; // @param

// 127 · 256: the largest integer whose limbs are signed bytes on both sides of zero.
const LIMB_LIMIT: f32 = 32512.0;
// A group of smaller values counts as zeros: the inverse of its scale would be no number.
const SMALLEST: f32 = 1e-30;

struct Params {
  width: u32,
}

@group(0) @binding(0) var<storage, read_write> limbs: array<vec4<u32>>; // [width / 32, 5]
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [width / 4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [width / 4]; x without NORM
@group(0) @binding(3) var<uniform> params: Params;

fn write_group(group: u32) {
  var values: array<vec4<f32>, 8>;
  var largest_of = vec4<f32>();
  var squares = 0.0;
  for (var i = 0u; i < 8u; i++) {
    var value = x[group * 8u + i];
    if (NORM) {
      squares += dot(value, value);
      value *= weight[group * 8u + i];
    }
    values[i] = value;
    largest_of = max(largest_of, abs(value));
  }
  let largest = max(max(largest_of.x, largest_of.y), max(largest_of.z, largest_of.w));
  let has_values = largest > SMALLEST;
  let scale = select(0.0, largest / LIMB_LIMIT, has_values);
  let inverse = select(0.0, LIMB_LIMIT / max(largest, SMALLEST), has_values);
  var sum = vec4<i32>();
  var high_even: vec4<u32>;
  var high_odd: vec4<u32>;
  var low_even: vec4<u32>;
  var low_odd: vec4<u32>;
  for (var i = 0u; i < 4u; i++) {
    let limit = vec4<f32>(LIMB_LIMIT);
    let first = vec4<i32>(clamp(round(values[2u * i] * inverse), -limit, limit));
    let second = vec4<i32>(clamp(round(values[2u * i + 1u] * inverse), -limit, limit));
    sum += first + second;
    let even = vec4<i32>(first.xz, second.xz);
    let odd = vec4<i32>(first.yw, second.yw);
    // Packing keeps the low byte; what is left after it, rounded, is the high one.
    low_even[i] = pack4xI8(even);
    low_odd[i] = pack4xI8(odd);
    high_even[i] = pack4xI8((even + 128) >> vec4<u32>(8u));
    high_odd[i] = pack4xI8((odd + 128) >> vec4<u32>(8u));
  }
  limbs[group * 5u] = high_even;
  limbs[group * 5u + 1u] = high_odd;
  limbs[group * 5u + 2u] = low_even;
  limbs[group * 5u + 3u] = low_odd;
  let total = 8 * (sum.x + sum.y + sum.z + sum.w);
  limbs[group * 5u + 4u] =
    vec4<u32>(bitcast<u32>(scale), bitcast<u32>(total), bitcast<u32>(squares), 0u);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = workgroup_id.x * WORKGROUP_SIZE + lane;
  for (
    var group = first;
    group < params.width / 32u;
    group += num_workgroups.x * WORKGROUP_SIZE
  ) {
    write_group(group);
  }
}
