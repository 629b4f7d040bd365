// What 8-bit quantisation leaves of x: out[m, k] = (clamp(round(x / s) + z, −128, 127) − z) · s, with the
// scale s and zero point z of row m.
//
// One invocation an element. With shared/invocation-index.wgsl and shared/round-half-even.wgsl.

struct Params {
  M: u32,
  K: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [M, K]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [M, K]
@group(0) @binding(2) var<storage, read> x_scale: array<f32>; // [M]
@group(0) @binding(3) var<storage, read> x_zero_point: array<u32>; // [M] i8, packed
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  if (index >= params.M * params.K) {
    return;
  }
  let row = index / params.K;
  let scale = x_scale[row];
  let zero = f32(extractBits(bitcast<i32>(x_zero_point[row / 4u]), 8u * (row % 4u), 8u));
  let quantized = clamp(round_half_even(x[index] / scale) + zero, -128.0, 127.0);
  out[index] = (quantized - zero) * scale;
}
