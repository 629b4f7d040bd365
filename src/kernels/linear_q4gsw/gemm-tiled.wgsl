// linear_q4gsw for many rows of x. A workgroup owns TILE × TILE outputs, each of its (TILE / 4)²
// lanes 4 × 4 of them: rows 4·ty … 4·ty + 3, columns tx + j·TILE / 4. For each step of 16 along K the
// lanes bring TILE rows of x and of dequantised weights into workgroup memory, in vectors of four k.
// Needs K and the group size to be multiples of 4. With operands.wgsl.

const TILE: u32 = 64u; // @param 64 | 32
const QUADS_PER_GROUP: u32 = 8u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(5) var<storage, read> weight: array<u32>; // [N, pad8(K) / 8]

const LANES_PER_SIDE: u32 = TILE / 4u;
const LANES: u32 = LANES_PER_SIDE * LANES_PER_SIDE;
const STEP_QUADS: u32 = 4u;
const LOADS: u32 = TILE * STEP_QUADS / LANES; // vectors of each tile a lane brings
// One more than needed, so that lanes a row apart read from different banks.
const ROW_QUADS: u32 = STEP_QUADS + 1u;

var<workgroup> x_tile: array<vec4<f32>, TILE * ROW_QUADS>;
var<workgroup> weight_tile: array<vec4<f32>, TILE * ROW_QUADS>;

fn load_x(m: u32, quad: u32) -> vec4<f32> {
  let quads = params.K / 4u;
  if (m >= params.M || quad >= quads) {
    return vec4<f32>();
  }
  return x[m * quads + quad];
}

fn load_weight(n: u32, quad: u32) -> vec4<f32> {
  let quads = params.K / 4u;
  if (n >= params.N || quad >= quads) {
    return vec4<f32>();
  }
  let word = weight[n * ((quads + 1u) / 2u) + quad / 2u] >> (16u * (quad & 1u));
  let shifted = vec4<u32>(word, word >> 4u, word >> 8u, word >> 12u);
  let scale = read_scale(n * (quads / QUADS_PER_GROUP) + quad / QUADS_PER_GROUP);
  return (vec4<f32>(shifted & vec4<u32>(15u)) - 8.0) * scale;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Neighbouring workgroups share their weights.
  let tile = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row_tiles = (params.M + TILE - 1u) / TILE;
  let first_m = (tile % row_tiles) * TILE;
  let first_n = (tile / row_tiles) * TILE;
  if (first_n >= params.N) {
    return;
  }
  let tx = lane % LANES_PER_SIDE;
  let ty = lane / LANES_PER_SIDE;
  // Lanes past the last row only help to load.
  let has_rows = first_m + 4u * ty < params.M;
  var sums: array<vec4<f32>, 4>; // four rows of four columns
  // The next step's vectors travel from memory while this step computes.
  var next_x: array<vec4<f32>, LOADS>;
  var next_weight: array<vec4<f32>, LOADS>;
  for (var i = 0u; i < LOADS; i++) {
    let at = lane + i * LANES;
    next_x[i] = load_x(first_m + at / STEP_QUADS, at % STEP_QUADS);
    next_weight[i] = load_weight(first_n + at / STEP_QUADS, at % STEP_QUADS);
  }
  for (var step = 0u; step < params.K / 4u; step += STEP_QUADS) {
    for (var i = 0u; i < LOADS; i++) {
      let at = lane + i * LANES;
      x_tile[at / STEP_QUADS * ROW_QUADS + at % STEP_QUADS] = next_x[i];
      weight_tile[at / STEP_QUADS * ROW_QUADS + at % STEP_QUADS] = next_weight[i];
    }
    workgroupBarrier();
    for (var i = 0u; i < LOADS; i++) {
      let at = lane + i * LANES;
      let quad = step + STEP_QUADS + at % STEP_QUADS;
      next_x[i] = load_x(first_m + at / STEP_QUADS, quad);
      next_weight[i] = load_weight(first_n + at / STEP_QUADS, quad);
    }
    if (has_rows) {
      for (var quad = 0u; quad < STEP_QUADS; quad++) {
        let w0 = weight_tile[tx * ROW_QUADS + quad];
        let w1 = weight_tile[(tx + LANES_PER_SIDE) * ROW_QUADS + quad];
        let w2 = weight_tile[(tx + 2u * LANES_PER_SIDE) * ROW_QUADS + quad];
        let w3 = weight_tile[(tx + 3u * LANES_PER_SIDE) * ROW_QUADS + quad];
        for (var r = 0u; r < 4u; r++) {
          let a = x_tile[(4u * ty + r) * ROW_QUADS + quad];
          // One addition to the sum a product, which compiles to fused multiply-adds.
          var sum = sums[r];
          sum += a.x * vec4<f32>(w0.x, w1.x, w2.x, w3.x);
          sum += a.y * vec4<f32>(w0.y, w1.y, w2.y, w3.y);
          sum += a.z * vec4<f32>(w0.z, w1.z, w2.z, w3.z);
          sum += a.w * vec4<f32>(w0.w, w1.w, w2.w, w3.w);
          sums[r] = sum;
        }
      }
    }
    workgroupBarrier();
  }
  for (var r = 0u; r < 4u; r++) {
    let m = first_m + 4u * ty + r;
    for (var c = 0u; c < 4u; c++) {
      let n = first_n + tx + c * LANES_PER_SIDE;
      if (m < params.M && n < params.N) {
        write_output(m, n, sums[r][c]);
      }
    }
  }
}
