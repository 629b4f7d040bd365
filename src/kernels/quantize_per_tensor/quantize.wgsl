// quantize_per_tensor: out[i] = clamp(round(x[i] · 1 / scale) + zero point, quant_min, quant_max)
//
// One invocation a word of the output. With shared/invocation-index.wgsl, shared/element-types.wgsl and
// shared/round-half-even.wgsl.

const TO: u32 = I8; // @param I8 | U8 | I32
const TO_PER_WORD: u32 = select(4u, 1u, TO == I32);

struct Params {
  count: u32,
  inverse_scale: f32,
  zero_point: f32,
  quant_min: f32,
  quant_max: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> x: array<f32>; // [count]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  let start = word * TO_PER_WORD;
  if (start >= params.count) {
    return;
  }
  var bits = 0u;
  for (var i = 0u; i < TO_PER_WORD && start + i < params.count; i++) {
    let step = round_half_even(x[start + i] * params.inverse_scale) + params.zero_point;
    bits |= encode_i32(TO, i32(clamp(step, params.quant_min, params.quant_max)), i);
  }
  out[word] = bits;
}
