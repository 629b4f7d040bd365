// silu_mul: out[i] = gate[i] / (1 + e^−gate[i]) · up[i]
//
// One invocation a word. With shared/element-float.wgsl and shared/sigmoid.wgsl.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> gate: array<u32>; // [count] packed
@group(0) @binding(2) var<storage, read> up: array<u32>; // [count] packed
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  if (word * ELEMENTS_PER_WORD >= params.count) {
    return;
  }
  let gate_word = gate[word];
  let up_word = up[word];
  var bits = 0u;
  for (var i = 0u; i < ELEMENTS_PER_WORD; i++) {
    let value = decode(gate_word, i);
    bits |= encode(value * sigmoid(value) * decode(up_word, i), i);
  }
  out[word] = bits;
}
