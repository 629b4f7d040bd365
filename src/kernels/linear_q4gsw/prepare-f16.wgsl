// linear_q4gsw on f16 operands, first step: brings all operands into the order in which tiles of them are
// read, a vector a lane and neighbouring rows side by side, and rounds x and the scales to f16. Every tile
// of outputs reads them again; this is done once.
//
// The first x_workgroups of WORKGROUP_SIZE lanes take 32 rows of x and a vector of eight k for every 32
// lanes, the others weights. With shared/octet-halves.wgsl, and order-weights.wgsl and what it needs.
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
  M: u32, // live rows of x
  N: u32, // outputs of this shard
  K: u32,
  x_workgroups: u32,
}

@group(0) @binding(0) var<storage, read_write> x_halves: array<vec4<u32>>; // f16 [K / 8, M]
@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(6) var<uniform> params: Params;

fn round_x(m: u32, octet: u32) {
  let octets = params.K / 8u;
  if (m >= params.M || octet >= octets) {
    return;
  }
  let at = 2u * (m * octets + octet);
  x_halves[octet * params.M + m] = octet_halves(x[at], x[at + 1u]);
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
    return;
  }
  let own = index - params.x_workgroups;
  let row_groups = (params.N + ROWS - 1u) / ROWS;
  let n = own % row_groups * ROWS + row;
  let block = own / row_groups * COLUMNS + column;
  if (n < params.N && block < params.K / 32u) {
    order_weight(n, block, n, params.N);
  }
}
