// argmax and argmin, second half: the best part of each row.
//
// One invocation a row. With shared/invocation-index.wgsl and shared/workgroup-best.wgsl.

struct Params {
  rows: u32,
  parts: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<i32>; // [rows]
@group(0) @binding(1) var<storage, read> best: array<vec2<u32>>; // [rows, parts]: key, index
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = invocation_index(workgroup_id, num_workgroups, lane);
  if (row >= params.rows) {
    return;
  }
  var candidate = best[row * params.parts];
  for (var part = 1u; part < params.parts; part++) {
    candidate = better(candidate, best[row * params.parts + part]);
  }
  out[row] = i32(candidate.y);
}
