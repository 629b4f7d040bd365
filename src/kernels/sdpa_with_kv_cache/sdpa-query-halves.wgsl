// sdpa_with_kv_cache on f16 operands, before sdpa-matrix.wgsl: queries times scale · log2(e) as f16,
// the query heads of a key head folded into rows, row = token · group + head. Heads are filled up with
// zeros to 64 values and rows to whole tiles. One invocation eight values. With
// shared/invocation-index.wgsl.

struct Params {
  rows: u32, // S · group
  padded_rows: u32, // a multiple of a tile's
  kv_heads: u32,
  group: u32, // query heads a key head
  head_octets: u32, // D / 8
  padded_octets: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read_write> q_halves: array<vec4<u32>>; // [Hkv, padded rows, octets]
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [S, Hq, D / 4]
@group(0) @binding(2) var<uniform> params: Params;

const F16_MAX: f32 = 65504.0;
const LOG2_E: f32 = 1.44269504088896;

fn halves(values: vec4<f32>) -> vec2<u32> {
  let scaled = values * (params.scale * LOG2_E);
  let limited = clamp(scaled, vec4<f32>(-F16_MAX), vec4<f32>(F16_MAX));
  return vec2<u32>(pack2x16float(limited.xy), pack2x16float(limited.zw));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  let octet = index % params.padded_octets;
  let row = index / params.padded_octets % params.padded_rows;
  let kv_head = index / (params.padded_octets * params.padded_rows);
  if (kv_head >= params.kv_heads) {
    return;
  }
  var value = vec4<u32>();
  if (row < params.rows && octet < params.head_octets) {
    let head = (row / params.group * params.kv_heads + kv_head) * params.group + row % params.group;
    let at = 2u * (head * params.head_octets + octet);
    value = vec4<u32>(halves(q[at]), halves(q[at + 1u]));
  }
  q_halves[index] = value;
}
