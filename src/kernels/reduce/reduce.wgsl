// reduce over the middle of [outer, width, inner]: sum, mean, maximum or minimum
//
// One workgroup an output; its lanes stride over the width. With shared/element-float.wgsl or
// shared/element-integer.wgsl, shared/store-*.wgsl, which has out [outer, inner], reduce-float.wgsl or
// reduce-integer.wgsl, shared/workgroup-sum.wgsl and shared/workgroup-max.wgsl, both of Value.

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

@group(0) @binding(1) var<storage, read> x: array<u32>; // [outer, width, inner] packed
@group(0) @binding(2) var<uniform> params: Params;

fn x_at(index: u32) -> Value {
  return decode(x[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

// So that the minimum is the reversed maximum of the reversed.
fn directed(value: Value) -> Value {
  if (OP == AMIN) {
    return reversed(value);
  }
  return value;
}

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
  var result = Value();
  if (OP == SUM || OP == MEAN) {
    for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
      result += x_at(start + i * inner);
    }
    result = workgroup_sum(result, lane);
    if (OP == MEAN) {
      result = mean_of(result, params.width);
    }
  } else {
    result = directed(x_at(start));
    for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
      result = max(result, directed(x_at(start + i * inner)));
    }
    result = directed(workgroup_max(result, lane));
  }
  if (lane == 0u) {
    store(output, result);
  }
}
