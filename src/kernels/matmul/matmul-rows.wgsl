// matmul with few rows and b [N, K]: out[m, n] = alpha · Σ_k a[m, k] · b[n, k] + beta · addend[m, n]
//
// One workgroup an output; its lanes stride over K, so that b is read once and in order.
// With shared/element-float.wgsl, shared/store-*.wgsl, which has out [M, N], and shared/workgroup-sum.wgsl.

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

@group(0) @binding(1) var<storage, read> a: array<u32>; // [M, K] packed
@group(0) @binding(2) var<storage, read> b: array<u32>; // [N, K] packed
@group(0) @binding(3) var<storage, read> addend: array<u32>; // [N] or [M, N] packed; a again if absent
@group(0) @binding(4) var<uniform> params: Params;

fn a_at(index: u32) -> f32 {
  return decode(a[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

fn b_at(index: u32) -> f32 {
  return decode(b[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

fn addend_at(index: u32) -> f32 {
  return decode(addend[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

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
    sum += a_at(row * params.K + k) * b_at(column * params.K + k);
  }
  sum = workgroup_sum(sum, lane);
  if (lane == 0u) {
    var value = params.alpha * sum;
    if (HAS_ADDEND) {
      value += params.beta * addend_at(row * params.addend_row_stride + column);
    }
    store(output, value);
  }
}
