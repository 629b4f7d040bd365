// apply_rotary_emb: with row r of the tables (s, or input_pos + s), for i < rotary_size / 2 and the
// pair (a, b) = x[2i], x[2i + 1] (interleaved) or x[i], x[i + rotary_size / 2] (halves):
//   out_a = a · cos[r, i] − b · sin[r, i]
//   out_b = b · cos[r, i'] + a · sin[r, i'],  i' = i + PARTNER_COLUMN
// Values from rotary_size on are copied.
//
// One invocation a pair, those of xq first and then those of xk. With
// shared/invocation-index.wgsl.

const HALVES: bool = false; // @param pairs are half the rotary size apart, not neighbours
const LIVE_POSITION: bool = true; // @param rows count from input_pos[0]; if false it is not read
const PARTNER_COLUMN: u32 = 0u; // @param where a table row has the second value of a pair

struct Params {
  count: u32, // pairs: S · (q_heads + k_heads) · head_pairs
  q_count: u32, // pairs in xq: S · q_heads · head_pairs
  q_heads: u32,
  k_heads: u32,
  head_pairs: u32, // D / 2
  rotary_pairs: u32, // rotary_size / 2
  table_width: u32,
}

@group(0) @binding(0) var<storage, read_write> xq_out: array<f32>; // [S, q_heads, D]
@group(0) @binding(1) var<storage, read_write> xk_out: array<f32>; // [S, k_heads, D]
@group(0) @binding(2) var<storage, read> xq: array<f32>; // [S, q_heads, D]
@group(0) @binding(3) var<storage, read> xk: array<f32>; // [S, k_heads, D]
@group(0) @binding(4) var<storage, read> cos_table: array<f32>; // [rows, table_width]
@group(0) @binding(5) var<storage, read> sin_table: array<f32>; // [rows, table_width]
@group(0) @binding(6) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(7) var<uniform> params: Params;

// First element and distance to the second of pair `pair` of a head.
fn pair_layout(pair: u32) -> vec2<u32> {
  if (HALVES && pair < params.rotary_pairs) {
    return vec2<u32>(pair, params.rotary_pairs);
  }
  return vec2<u32>(2u * pair, 1u);
}

fn rotate(values: vec2<f32>, sequence: u32, pair: u32) -> vec2<f32> {
  if (pair >= params.rotary_pairs) {
    return values;
  }
  var row = sequence;
  if (LIVE_POSITION) {
    row += u32(max(input_pos[0], 0));
  }
  // A position that ran past the table keeps to its last row rather than read outside.
  let column = min(row, arrayLength(&cos_table) / params.table_width - 1u) * params.table_width + pair;
  let partner = column + PARTNER_COLUMN;
  return vec2<f32>(
    values.x * cos_table[column] - values.y * sin_table[column],
    values.y * cos_table[partner] + values.x * sin_table[partner],
  );
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  if (index >= params.count) {
    return;
  }
  let pair = index % params.head_pairs;
  let pair_at = pair_layout(pair);
  if (index < params.q_count) {
    let first = index / params.head_pairs * params.head_pairs * 2u + pair_at.x;
    let second = first + pair_at.y;
    let sequence = index / (params.head_pairs * params.q_heads);
    let rotated = rotate(vec2<f32>(xq[first], xq[second]), sequence, pair);
    xq_out[first] = rotated.x;
    xq_out[second] = rotated.y;
  } else {
    let k_index = index - params.q_count;
    let first = k_index / params.head_pairs * params.head_pairs * 2u + pair_at.x;
    let second = first + pair_at.y;
    let sequence = k_index / (params.head_pairs * params.k_heads);
    let rotated = rotate(vec2<f32>(xk[first], xk[second]), sequence, pair);
    xk_out[first] = rotated.x;
    xk_out[second] = rotated.y;
  }
}
