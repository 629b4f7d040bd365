// silu_mul, four f32 values a lane: out[i] = gate[i] / (1 + e^−gate[i]) · up[i]
//
// With shared/invocation-index.wgsl and shared/sigmoid.wgsl.

struct Params {
  quads: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>; // [quads]
@group(0) @binding(1) var<storage, read> gate: array<vec4<f32>>; // [quads]
@group(0) @binding(2) var<storage, read> up: array<vec4<f32>>; // [quads]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  if (index >= params.quads) {
    return;
  }
  let value = gate[index];
  let weight =
    vec4<f32>(sigmoid(value.x), sigmoid(value.y), sigmoid(value.z), sigmoid(value.w));
  out[index] = value * weight * up[index];
}
