// rms_norm of rows for subgroup matrices: as rms-norm-quads.wgsl, each value to the bit, but for eight at a
// time, which become halves. With rms-row-quads.wgsl and shared/octet-halves.wgsl. Quads are even.

@group(0) @binding(0) var<storage, read_write> out: array<vec4<u32>>; // f16 [quads / 2, rows]

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
  for (var octet = lane; octet < params.quads / 2u; octet += WORKGROUP_SIZE) {
    let low = x[start + 2u * octet] * scale * weight[2u * octet];
    let high = x[start + 2u * octet + 1u] * scale * weight[2u * octet + 1u];
    out[octet * params.rows + row] = octet_halves(low, high);
  }
}
