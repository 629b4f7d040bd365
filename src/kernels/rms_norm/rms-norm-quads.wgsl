// rms_norm of rows that are whole quads: out[r, c] = x[r, c] · weight[c] / √(mean over c of x[r, c]² +
// epsilon)
//
// One workgroup a row (rows folded over two grid dimensions); its lanes stride over the quads twice, once
// for the mean square and once to write. With rms-row-quads.wgsl.

@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>; // [rows, quads]

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
  let scale = scale_of_row(start, lane);
  for (var quad = lane; quad < params.quads; quad += WORKGROUP_SIZE) {
    out[start + quad] = x[start + quad] * scale * weight[quad];
  }
}
