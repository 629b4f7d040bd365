// dequantize_per_tensor: out[i] = (x[i] − zero point) · scale
//
// One invocation an element. With shared/invocation-index.wgsl and shared/element-types.wgsl.

const FROM: u32 = I8; // @param I8 | U8 | I32
const FROM_PER_WORD: u32 = select(4u, 1u, FROM == I32);

struct Params {
  count: u32,
  zero_point: i32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [count]
@group(0) @binding(1) var<storage, read> x: array<u32>; // [count] packed
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  if (index < params.count) {
    let step = decode_i32(FROM, x[index / FROM_PER_WORD], index % FROM_PER_WORD);
    out[index] = f32(step - params.zero_point) * params.scale;
  }
}
