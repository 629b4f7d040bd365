// update_cache, f32: cache[input_pos + s, h, d] = value[s, h, d]
//
// One invocation a value. With shared/invocation-index.wgsl.

struct Params {
  count: u32, // values: S · row
  row: u32, // values a position: H · D
  cache_length: u32, // positions
}

@group(0) @binding(0) var<storage, read_write> cache: array<f32>; // [cache_length, H, D]
@group(0) @binding(1) var<storage, read> value: array<f32>; // [S, H, D]
@group(0) @binding(2) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  // A position before the cache wraps to one far past its end.
  let position = u32(input_pos[0]);
  if (index >= params.count || position >= params.cache_length) {
    return;
  }
  let target_position = position + index / params.row;
  if (target_position < params.cache_length) {
    cache[target_position * params.row + index % params.row] = value[index];
  }
}
