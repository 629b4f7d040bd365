// linear_q4gsw on subgroup matrices, last step where workgroups shared sums over K: adds up their
// parts. One invocation an output. With shared/invocation-index.wgsl.

const HAS_BIAS: bool = false; // @param
const HAS_RESIDUAL: bool = false; // @param

struct Params {
  M: u32, // live rows of x
  N: u32, // outputs of this shard
  splits: u32,
  part_columns: u32, // row length of parts, which may be of several matrices
  part_first: u32, // the first column of this one
  out_stride: u32, // row length of out
  out_offset: u32, // the shard's first column of out
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [M, out_stride]
@group(0) @binding(1) var<storage, read> parts: array<f32>; // [splits, M, part_columns]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [≥ N]; something else without HAS_BIAS
@group(0) @binding(3) var<storage, read> residual: array<f32>; // like out; something else without it
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  let count = params.M * params.N;
  if (index >= count) {
    return;
  }
  let m = index / params.N;
  let n = index % params.N;
  let place = m * params.part_columns + params.part_first + n;
  var sum = 0.0;
  for (var split = 0u; split < params.splits; split++) {
    sum += parts[split * params.M * params.part_columns + place];
  }
  if (HAS_BIAS) {
    sum += bias[n];
  }
  let at = m * params.out_stride + params.out_offset + n;
  if (HAS_RESIDUAL) {
    sum += residual[at];
  }
  out[at] = sum;
}
