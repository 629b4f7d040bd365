// choose_qparams_affine: scale and zero point of each row of x, so that its range and 0 lie on the grid
// quant_min … quant_max.
//
// One workgroup four rows, whose zero points share a word; its lanes stride over the columns.
// With shared/workgroup-sum.wgsl, shared/workgroup-max.wgsl and shared/round-half-even.wgsl.

struct Params {
  rows: u32,
  width: u32,
  quant_min: f32,
  quant_max: f32,
}

@group(0) @binding(0) var<storage, read_write> scale: array<f32>; // [rows]
@group(0) @binding(1) var<storage, read_write> zero_point: array<u32>; // [rows] i8, packed
@group(0) @binding(2) var<storage, read> x: array<f32>; // [rows, width]
@group(0) @binding(3) var<uniform> params: Params;

// Scales below are hard on f16 and on division.
const SMALLEST_SCALE: f32 = 6.1e-5;

struct Quantization {
  scale: f32,
  zero_point: i32,
}

fn choose(lowest: f32, highest: f32) -> Quantization {
  var low = min(lowest, 0.0);
  var high = max(highest, 0.0);
  let steps = params.quant_max - params.quant_min;
  var size = (high - low) / steps;
  if (size == 0.0) {
    size = 0.1;
  }
  if (size < SMALLEST_SCALE) {
    // The range grows to what the smallest scale spans; a side at zero stays there.
    if (low == 0.0) {
      high = SMALLEST_SCALE * steps;
    } else if (high == 0.0) {
      low = -SMALLEST_SCALE * steps;
    } else {
      let growth = SMALLEST_SCALE / size;
      low *= growth;
      high *= growth;
    }
    size = SMALLEST_SCALE;
  }
  // Two candidates that only rounding tells apart: the one whose terms are smaller rounded less.
  let low_steps = low / size;
  let high_steps = high / size;
  let low_is_better =
    abs(params.quant_min) - abs(low_steps) < abs(params.quant_max) - abs(high_steps);
  let candidate = select(params.quant_max - high_steps, params.quant_min - low_steps, low_is_better);
  let zero = round_half_even(clamp(candidate, params.quant_min, params.quant_max));
  return Quantization(size, i32(zero));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (4u * word >= params.rows) {
    return;
  }
  var bits = 0u;
  for (var i = 0u; i < 4u && 4u * word + i < params.rows; i++) {
    let row = 4u * word + i;
    var lowest = 0.0;
    var highest = 0.0;
    for (var column = lane; column < params.width; column += WORKGROUP_SIZE) {
      let value = x[row * params.width + column];
      lowest = min(lowest, value);
      highest = max(highest, value);
    }
    let quantization = choose(-workgroup_max(-lowest, lane), workgroup_max(highest, lane));
    bits |= (bitcast<u32>(quantization.zero_point) & 0xffu) << (8u * i);
    if (lane == 0u) {
      scale[row] = quantization.scale;
    }
  }
  if (lane == 0u) {
    zero_point[word] = bits;
  }
}
