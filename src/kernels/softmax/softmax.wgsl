// softmax over the middle of [outer, width, inner]: out = e^(x − max) / Σ e^(x − max), or its logarithm
//
// One workgroup a row, that is a pair of outer and inner; its lanes stride over the width three times:
// maximum, sum, result. With shared/element-float.wgsl, shared/store-*.wgsl, which has out [outer, width,
// inner], shared/workgroup-sum.wgsl and shared/workgroup-max.wgsl.

const LOGARITHM: bool = false; // @param log_softmax

struct Params {
  rows: u32,
  width: u32,
  inner: u32,
}

@group(0) @binding(1) var<storage, read> x: array<u32>; // [outer, width, inner] packed
@group(0) @binding(2) var<uniform> params: Params;

const LOWEST: f32 = -3.4028234663852886e38;

fn x_at(index: u32) -> f32 {
  return decode(x[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
}

// e^distance for distance ≤ 0, −∞ too, of which implementations need not know.
fn shrinking_exp(distance: f32) -> f32 {
  return select(exp(distance), 0.0, distance < -100.0);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (row >= params.rows) {
    return;
  }
  let inner = params.inner;
  let start = (row / inner) * params.width * inner + row % inner;
  var highest = LOWEST;
  for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
    highest = max(highest, x_at(start + i * inner));
  }
  highest = workgroup_max(highest, lane);
  var sum = 0.0;
  for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
    sum += shrinking_exp(x_at(start + i * inner) - highest);
  }
  sum = workgroup_sum(sum, lane);
  for (var i = lane; i < params.width; i += WORKGROUP_SIZE) {
    let index = start + i * inner;
    let distance = x_at(index) - highest;
    if (LOGARITHM) {
      store(index, distance - log(sum));
    } else {
      store(index, shrinking_exp(distance) / sum);
    }
  }
}
