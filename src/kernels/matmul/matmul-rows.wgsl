// matmul with few rows and b [N, K]: out[m, n] = alpha · Σ_k a[m, k] · b[n, k] + beta · addend[m, n]
//
// One workgroup an output; its lanes stride over K, so that b is read once and in order.
// With shared/workgroup-sum.wgsl.

const HAS_ADDEND: bool = false; // @param

struct Params {
  M: u32,
  N: u32,
  K: u32,
  // 0 where the addend is a row vector.
  addend_row_stride: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [M, N]
@group(0) @binding(1) var<storage, read> a: array<f32>; // [M, K]
@group(0) @binding(2) var<storage, read> b: array<f32>; // [N, K]
@group(0) @binding(3) var<storage, read> addend: array<f32>; // [N] or [M, N]; a again if absent
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let output = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (output >= params.M * params.N) {
    return;
  }
  let row = output / params.N;
  let column = output % params.N;
  var sum = 0.0;
  for (var k = lane; k < params.K; k += WORKGROUP_SIZE) {
    sum += a[row * params.K + k] * b[column * params.K + k];
  }
  sum = workgroup_sum(sum, lane);
  if (lane == 0u) {
    var value = params.alpha * sum;
    if (HAS_ADDEND) {
      value += params.beta * addend[row * params.addend_row_stride + column];
    }
    out[output] = value;
  }
}
