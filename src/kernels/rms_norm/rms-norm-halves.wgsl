// rms_norm of rows for subgroup matrices: as rms-norm-quads.wgsl, each value to the bit, but for eight at a
// time, which become halves. With shared/workgroup-sum.wgsl and shared/octet-halves.wgsl.

struct Params {
  rows: u32,
  quads: u32, // width / 4, even
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<u32>>; // f16 [quads / 2, rows]
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [rows, quads]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [quads]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.quads;
  var squares = vec4<f32>();
  for (var quad = lane; quad < params.quads; quad += WORKGROUP_SIZE) {
    let value = x[start + quad];
    squares += value * value;
  }
  let mean = workgroup_sum(dot(squares, vec4<f32>(1.0)), lane) / f32(4u * params.quads);
  let scale = inverseSqrt(mean + params.epsilon);
  for (var octet = lane; octet < params.quads / 2u; octet += WORKGROUP_SIZE) {
    let low = x[start + 2u * octet] * scale * weight[2u * octet];
    let high = x[start + 2u * octet + 1u] * scale * weight[2u * octet + 1u];
    out[octet * params.rows + row] = octet_halves(low, high);
  }
}
