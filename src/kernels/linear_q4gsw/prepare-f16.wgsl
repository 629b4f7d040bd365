// linear_q4gsw on f16 operands, first step: brings all operands into the order in which tiles of them are
// read, a vector a lane and neighbouring rows side by side, and rounds x and the scales to f16. Every tile
// of outputs reads them again; this is done once.
//
// Eight k of a row of x make a vector, four pairs k and k + 4: the order in which a word of weights gives
// its nibbles (see dequantize-f16.wgsl). The first x_workgroups of WORKGROUP_SIZE lanes take 32 rows of x
// and a vector for every 32 lanes, the others as many rows and blocks of weights. With
// shared/q4-scales.wgsl and scales.wgsl.
override WORKGROUP_SIZE: u32 = 256u;

const SCALES_PER_BLOCK: u32 = 1u; // @param of 32 weights: 2 where groups are of 16
const BLOCKS_PER_GROUP: u32 = 1u; // @param

const ROWS: u32 = 32u;
override COLUMNS: u32 = WORKGROUP_SIZE / ROWS;
const F16_MAX: f32 = 65504.0;

struct Params {
  M: u32, // live rows of x
  N: u32, // outputs of this shard
  K: u32,
  x_workgroups: u32,
}

@group(0) @binding(0) var<storage, read_write> x_halves: array<vec4<u32>>; // f16 [K / 8, M]
@group(0) @binding(2) var<storage, read_write> weight_columns: array<vec4<u32>>; // [K / 32, N]
@group(0) @binding(3) var<storage, read_write> scale_halves: array<f16>; // [K / 32 · SCALES_PER_BLOCK, N]
@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(6) var<uniform> params: Params;

// What half precision cannot hold becomes its largest value rather than an infinity.
fn half_pair(low: f32, high: f32) -> u32 {
  let pair = clamp(vec2<f32>(low, high), vec2<f32>(-F16_MAX), vec2<f32>(F16_MAX));
  return pack2x16float(pair);
}

fn round_x(m: u32, octet: u32) {
  let octets = params.K / 8u;
  if (m >= params.M || octet >= octets) {
    return;
  }
  let at = 2u * (m * octets + octet);
  let low = x[at];
  let high = x[at + 1u];
  x_halves[octet * params.M + m] = vec4<u32>(
    half_pair(low.x, high.x),
    half_pair(low.y, high.y),
    half_pair(low.z, high.z),
    half_pair(low.w, high.w),
  );
}

fn order_weight(n: u32, block: u32) {
  let blocks = params.K / 32u;
  if (n >= params.N || block >= blocks) {
    return;
  }
  weight_columns[block * params.N + n] = weight[n * blocks + block];
  if (SCALES_PER_BLOCK == 2u) {
    scale_halves[2u * block * params.N + n] = f16(read_scale(2u * (n * blocks + block)));
    scale_halves[(2u * block + 1u) * params.N + n] = f16(read_scale(2u * (n * blocks + block) + 1u));
  } else {
    let groups = blocks / BLOCKS_PER_GROUP;
    scale_halves[block * params.N + n] = f16(read_scale(n * groups + block / BLOCKS_PER_GROUP));
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row = lane % ROWS;
  let column = lane / ROWS;
  if (index < params.x_workgroups) {
    let row_groups = (params.M + ROWS - 1u) / ROWS;
    round_x(index % row_groups * ROWS + row, index / row_groups * COLUMNS + column);
  } else {
    let own = index - params.x_workgroups;
    let row_groups = (params.N + ROWS - 1u) / ROWS;
    order_weight(own % row_groups * ROWS + row, own / row_groups * COLUMNS + column);
  }
}
