// linear_q4gsw for many rows of x with operands rounded to f16 and f32 sums, without subgroup matrices:
// half as many bytes pass through workgroup memory as in gemm-tiled.wgsl, and each serves twice as many
// products. A workgroup owns TILE_M × TILE_N outputs, each of its 256 lanes 8 × 4 of them: rows 8·ty …
// 8·ty + 7, columns tx + j·16. For each step of 16 along K the lanes bring rows of x and of dequantised
// weights into workgroup memory, in vectors of four k. Needs K and the group size to be multiples of 4.
// With shared/q4-scales.wgsl, scales.wgsl and operands.wgsl.

const QUADS_PER_GROUP: u32 = 8u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(5) var<storage, read> weight: array<u32>; // [N, pad8(K) / 8]

const LANES: u32 = 256u;
const SIDE: u32 = 16u; // lanes along each side of the tile
const LANE_ROWS: u32 = 8u;
const TILE_M: u32 = SIDE * LANE_ROWS;
const TILE_N: u32 = SIDE * 4u;
const STEP_QUADS: u32 = 4u;
// One more than needed, so that lanes a row apart read from different banks.
const ROW_QUADS: u32 = STEP_QUADS + 1u;
const F16_MAX: f32 = 65504.0;

var<workgroup> x_tile: array<vec4<f16>, TILE_M * ROW_QUADS>;
var<workgroup> weight_tile: array<vec4<f16>, TILE_N * ROW_QUADS>;

// What half precision cannot hold becomes its largest value rather than an infinity.
fn load_x(m: u32, quad: u32) -> vec4<f16> {
  let quads = params.K / 4u;
  if (m >= params.M || quad >= quads) {
    return vec4<f16>();
  }
  return vec4<f16>(clamp(x[m * quads + quad], vec4<f32>(-F16_MAX), vec4<f32>(F16_MAX)));
}

fn load_weight(n: u32, quad: u32) -> vec4<f16> {
  let quads = params.K / 4u;
  if (n >= params.N || quad >= quads) {
    return vec4<f16>();
  }
  let word = weight[n * ((quads + 1u) / 2u) + quad / 2u] >> (16u * (quad & 1u));
  let nibbles = vec4<u32>(word, word >> 4u, word >> 8u, word >> 12u) & vec4<u32>(15u);
  let scale = read_scale(n * (quads / QUADS_PER_GROUP) + quad / QUADS_PER_GROUP);
  return vec4<f16>((vec4<f32>(nibbles) - 8.0) * scale);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  // Neighbouring workgroups share their weights.
  let tile = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row_tiles = (params.M + TILE_M - 1u) / TILE_M;
  let first_m = (tile % row_tiles) * TILE_M;
  let first_n = (tile / row_tiles) * TILE_N;
  if (first_n >= params.N) {
    return;
  }
  let tx = lane % SIDE;
  let ty = lane / SIDE;
  let row = lane / STEP_QUADS;
  let own_quad = lane % STEP_QUADS;
  let own = row * ROW_QUADS + own_quad;
  // Lanes past the last row only help to load.
  let has_rows = first_m + LANE_ROWS * ty < params.M;
  var sums: array<vec4<f32>, LANE_ROWS>; // eight rows of four columns
  // The next step's vectors travel from memory while this step computes.
  var next_x = load_x(first_m + row, own_quad);
  var next_lower_x = load_x(first_m + TILE_M / 2u + row, own_quad);
  var next_weight = load_weight(first_n + row, own_quad);
  for (var step = 0u; step < params.K / 4u; step += STEP_QUADS) {
    x_tile[own] = next_x;
    x_tile[own + TILE_M / 2u * ROW_QUADS] = next_lower_x;
    weight_tile[own] = next_weight;
    workgroupBarrier();
    let next = step + STEP_QUADS + own_quad;
    next_x = load_x(first_m + row, next);
    next_lower_x = load_x(first_m + TILE_M / 2u + row, next);
    next_weight = load_weight(first_n + row, next);
    if (has_rows) {
      for (var quad = 0u; quad < STEP_QUADS; quad++) {
        let w0 = vec4<f32>(weight_tile[tx * ROW_QUADS + quad]);
        let w1 = vec4<f32>(weight_tile[(tx + SIDE) * ROW_QUADS + quad]);
        let w2 = vec4<f32>(weight_tile[(tx + 2u * SIDE) * ROW_QUADS + quad]);
        let w3 = vec4<f32>(weight_tile[(tx + 3u * SIDE) * ROW_QUADS + quad]);
        for (var r = 0u; r < LANE_ROWS; r++) {
          let a = vec4<f32>(x_tile[(LANE_ROWS * ty + r) * ROW_QUADS + quad]);
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
  for (var r = 0u; r < LANE_ROWS; r++) {
    let m = first_m + LANE_ROWS * ty + r;
    for (var c = 0u; c < 4u; c++) {
      let n = first_n + tx + c * SIDE;
      if (m < params.M && n < params.N) {
        write_output(m, n, sums[r][c]);
      }
    }
  }
}
