// reduce over the middle of [outer, width, inner]: sum, mean, maximum or minimum
//
// One workgroup an output; its lanes stride over the width. With shared/workgroup-sum.wgsl and
// shared/workgroup-max.wgsl.

const SUM: u32 = 0u;
const MEAN: u32 = 1u;
const AMAX: u32 = 2u;
const AMIN: u32 = 3u;
const OP: u32 = SUM; // @param SUM | MEAN | AMAX | AMIN

struct Params {
  outputs: u32,
  width: u32,
  inner: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [outer, inner]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [outer, width, inner]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let output = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (output >= params.outputs) {
    return;
  }
  let inner = params.inner;
  let start = (output / inner) * params.width * inner + output % inner;
  var result = 0.0;
  if (OP == SUM || OP == MEAN) {
    for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
      result += x[start + i * inner];
    }
    result = workgroup_sum(result, lane);
    if (OP == MEAN) {
      result /= f32(params.width);
    }
  } else {
    // The minimum is the negated maximum of the negated.
    let factor = select(1.0, -1.0, OP == AMIN);
    result = factor * x[start];
    for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
      result = max(result, factor * x[start + i * inner]);
    }
    result = factor * workgroup_max(result, lane);
  }
  if (lane == 0u) {
    out[output] = result;
  }
}
