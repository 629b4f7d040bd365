// sdpa_with_kv_cache, first step for many rows: writes k and v [S, row] to positions
// [input_pos, input_pos + S) of their caches.
//
// One invocation four values, those of k first and then those of v. With
// shared/invocation-index.wgsl and shared/cache-quad-*.wgsl.

struct Params {
  count: u32, // quads of k: S · row
  row: u32, // quads a position: Hkv · D / 4
  cache_length: u32, // positions
}

@group(0) @binding(0) var<storage, read_write> k_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(1) var<storage, read_write> v_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>; // [S, Hkv, D / 4]
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>; // [S, Hkv, D / 4]
@group(0) @binding(4) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  // A position before the cache wraps to one far past its end.
  let position = u32(input_pos[0]);
  if (index >= 2u * params.count || position >= params.cache_length) {
    return;
  }
  let source = index % params.count;
  let target_position = position + source / params.row;
  if (target_position >= params.cache_length) {
    return;
  }
  let target_quad = target_position * params.row + source % params.row;
  if (index < params.count) {
    k_cache[target_quad] = pack_quad(k[source]);
  } else {
    v_cache[target_quad] = pack_quad(v[source]);
  }
}
