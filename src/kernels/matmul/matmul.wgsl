// matmul: out[b, m, n] = alpha · Σ_k a[b, m, k] · b[b, k, n] + beta · addend[m, n]
//
// One workgroup of 64 lanes a tile of 32 × 32 outputs, each lane 4 × 4 of them; 16 columns of a and rows
// of b at a time pass through workgroup memory. Tiles of all batches are folded over the grid.
// With shared/element-float.wgsl and shared/store-*.wgsl, which has out [batch, M, N].

const B_TRANSPOSED: bool = false; // @param b is [N, K], as the weight of a linear layer
const HAS_ADDEND: bool = false; // @param

const TILE: u32 = 32u;
const DEPTH: u32 = 16u;
const LANES: u32 = 64u;
// Outputs of a lane are LANE_STEP apart, so that neighbouring lanes read neighbouring places.
const LANE_STEP: u32 = 8u;
const PADDED: u32 = TILE + 1u;

struct Params {
  batch: u32,
  M: u32,
  N: u32,
  K: u32,
  b_batch_stride: u32,
  // 0 where the addend is a row vector.
  addend_row_stride: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(1) var<storage, read> a: array<u32>; // [batch, M, K] packed
@group(0) @binding(2) var<storage, read> b: array<u32>; // [batch, K, N] or [batch, N, K] packed
@group(0) @binding(3) var<storage, read> addend: array<u32>; // [N] or [M, N] packed; a again if absent
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> a_tile: array<f32, DEPTH * PADDED>; // [k, m]
var<workgroup> b_tile: array<f32, DEPTH * PADDED>; // [k, n]

fn a_at(index: u32) -> f32 {
  return decode(a[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

fn b_at(index: u32) -> f32 {
  return decode(b[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

fn addend_at(index: u32) -> f32 {
  return decode(addend[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

fn load_tiles(batch: u32, first_row: u32, first_column: u32, first_k: u32, lane: u32) {
  let a_start = batch * params.M * params.K;
  let b_start = batch * params.b_batch_stride;
  for (var i = lane; i < TILE * DEPTH; i += LANES) {
    let k = i % DEPTH;
    let row = i / DEPTH;
    var value = 0.0;
    if (first_k + k < params.K && first_row + row < params.M) {
      value = a_at(a_start + (first_row + row) * params.K + first_k + k);
    }
    a_tile[k * PADDED + row] = value;
  }
  for (var i = lane; i < TILE * DEPTH; i += LANES) {
    // Neighbouring lanes read along whichever dimension is contiguous.
    let k = select(i / TILE, i % DEPTH, B_TRANSPOSED);
    let column = select(i % TILE, i / DEPTH, B_TRANSPOSED);
    var value = 0.0;
    if (first_k + k < params.K && first_column + column < params.N) {
      if (B_TRANSPOSED) {
        value = b_at(b_start + (first_column + column) * params.K + first_k + k);
      } else {
        value = b_at(b_start + (first_k + k) * params.N + first_column + column);
      }
    }
    b_tile[k * PADDED + column] = value;
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let column_tiles = (params.N + TILE - 1u) / TILE;
  let row_tiles = (params.M + TILE - 1u) / TILE;
  if (group >= column_tiles * row_tiles * params.batch) {
    return;
  }
  let first_column = (group % column_tiles) * TILE;
  let first_row = (group / column_tiles % row_tiles) * TILE;
  let batch = group / (column_tiles * row_tiles);
  let lane_column = lane % LANE_STEP;
  let lane_row = lane / LANE_STEP;
  // One vector a row of the lane's outputs.
  var sums = array<vec4<f32>, 4>();
  for (var first_k = 0u; first_k < params.K; first_k += DEPTH) {
    load_tiles(batch, first_row, first_column, first_k, lane);
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let b_at = k * PADDED + lane_column;
      let b_values = vec4(
        b_tile[b_at],
        b_tile[b_at + LANE_STEP],
        b_tile[b_at + 2u * LANE_STEP],
        b_tile[b_at + 3u * LANE_STEP],
      );
      for (var i = 0u; i < 4u; i++) {
        sums[i] += a_tile[k * PADDED + lane_row + i * LANE_STEP] * b_values;
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = first_row + lane_row + i * LANE_STEP;
    for (var j = 0u; j < 4u; j++) {
      let column = first_column + lane_column + j * LANE_STEP;
      if (row < params.M && column < params.N) {
        var value = params.alpha * sums[i][j];
        if (HAS_ADDEND) {
          value += params.beta * addend_at(row * params.addend_row_stride + column);
        }
        store((batch * params.M + row) * params.N + column, value);
      }
    }
  }
}
