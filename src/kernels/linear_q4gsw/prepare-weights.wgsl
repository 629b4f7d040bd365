// linear_q4gsw on f16 operands where x comes as halves, first step: as prepare-f16.wgsl, for weights only.
// Of several matrices that are multiplied as one, each takes its turn: 16 columns, as many as a subgroup
// matrix has, are of one, the next 16 of the next. With order-weights.wgsl and what it needs.
override WORKGROUP_SIZE: u32 = 256u;

const SIDE: u32 = 16u;

struct Params {
  N: u32, // outputs of this matrix, or shard
  K: u32,
  matrices: u32, // with more than one, N is a multiple of 16
  turn: u32, // which of them this is
}

@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row_groups = (params.N + ROWS - 1u) / ROWS;
  let n = index % row_groups * ROWS + lane % ROWS;
  let block = index / row_groups * COLUMNS + lane / ROWS;
  if (n < params.N && block < params.K / 32u) {
    let column = (n / SIDE * params.matrices + params.turn) * SIDE + n % SIDE;
    order_weight(n, block, column, params.matrices * params.N);
  }
}
