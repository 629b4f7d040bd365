// rms_norm: out[r, c] = x[r, c] · weight[c] / √(mean over c of x[r, c]² + epsilon)
//
// One workgroup a row (rows folded over two grid dimensions); its lanes stride over the columns
// twice, once for the mean square and once to write. With shared/workgroup-sum.wgsl.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [rows, width]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [rows, width]
@group(0) @binding(2) var<storage, read> weight: array<f32>; // [width]
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
  let start = row * params.width;
  var squares = 0.0;
  for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
    let value = x[start + column];
    squares += value * value;
  }
  let mean = workgroup_sum(squares, lane) / f32(params.width);
  let scale = inverseSqrt(mean + params.epsilon);
  for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
    out[start + column] = x[start + column] * scale * weight[column];
  }
}
