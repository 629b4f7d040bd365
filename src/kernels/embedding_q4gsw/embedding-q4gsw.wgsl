// embedding_q4gsw: out[i, d] = (nibble[r, d] − 8) · scale[r, d / group] where r = indices[i] − first_row
//
// A lane owns one element. Rows outside this shard are left to the shards that hold them. With
// shared/q4-scales.wgsl.

struct Params {
  count: u32, // live indices
  embedding_size: u32, // E
  vocabulary_size: u32, // V, rows of this shard
  first_row: u32, // index of the shard's first row
}

override WORKGROUP_SIZE: u32 = 64u;

const GROUP_SIZE: u32 = 32u; // @param
const NIBBLE_ORDER: u32 = 0u; // @param 1 where even d lie in the high nibbles

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [count, E]
@group(0) @binding(1) var<storage, read> indices: array<i32>; // [count]
@group(0) @binding(2) var<storage, read> weight: array<u32>; // [V, pad8(E) / 8]
@group(0) @binding(3) var<storage, read> scales: array<u32>; // [V, E / group], f32 or packed f16
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let workgroup = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let at = workgroup * WORKGROUP_SIZE + lane;
  let i = at / params.embedding_size;
  let d = at % params.embedding_size;
  if (i >= params.count) {
    return;
  }
  // An index below the shard wraps around to far above it, a negative one too.
  let row = bitcast<u32>(indices[i]) - params.first_row;
  if (row >= params.vocabulary_size) {
    return;
  }
  let words = (params.embedding_size + 7u) / 8u;
  let nibble = (weight[row * words + d / 8u] >> (4u * ((d % 8u) ^ NIBBLE_ORDER))) & 15u;
  let scale = read_scale(row * (params.embedding_size / GROUP_SIZE) + d / GROUP_SIZE);
  out[at] = (f32(nibble) - 8.0) * scale;
}
