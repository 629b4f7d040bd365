// layer_norm: out[r, c] = (x[r, c] − mean) · rstd · weight[c] + bias[c], rstd = 1 / √(variance + epsilon)
//
// One workgroup a row; its lanes stride over the columns three times: mean, variance (of the
// differences, which does not cancel), result. With shared/element-float.wgsl, shared/store-*.wgsl, which
// has out [rows, width], and shared/workgroup-sum.wgsl.

const HAS_WEIGHT: bool = true; // @param
const HAS_BIAS: bool = true; // @param

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(1) var<storage, read_write> mean: array<f32>; // [rows]
@group(0) @binding(2) var<storage, read_write> rstd: array<f32>; // [rows]
@group(0) @binding(3) var<storage, read> x: array<u32>; // [rows, width] packed
@group(0) @binding(4) var<storage, read> weight: array<u32>; // [width] packed; x again if absent
@group(0) @binding(5) var<storage, read> bias: array<u32>; // [width] packed; x again if absent
@group(0) @binding(6) var<uniform> params: Params;

fn x_at(index: u32) -> f32 {
  return decode(x[index / ELEMENTS_PER_WORD], index % ELEMENTS_PER_WORD);
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
  let start = row * params.width;
  var sum = 0.0;
  for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
    sum += x_at(start + column);
  }
  let row_mean = workgroup_sum(sum, lane) / f32(params.width);
  var squares = 0.0;
  for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
    let difference = x_at(start + column) - row_mean;
    squares += difference * difference;
  }
  let variance = workgroup_sum(squares, lane) / f32(params.width);
  let scale = inverseSqrt(variance + params.epsilon);
  for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
    var value = (x_at(start + column) - row_mean) * scale;
    let word = column / ELEMENTS_PER_WORD;
    let place = column % ELEMENTS_PER_WORD;
    if (HAS_WEIGHT) {
      value *= decode(weight[word], place);
    }
    if (HAS_BIAS) {
      value += decode(bias[word], place);
    }
    store(start + column, value);
  }
  if (lane == 0u) {
    mean[row] = row_mean;
    rstd[row] = scale;
  }
}
