// elementwise_unary: out[i] = apply(x[i], first, second)
//
// One invocation a word. With shared/element-*.wgsl and unary-ops-*.wgsl.

struct Params {
  count: u32,
  first: f32,
  second: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> x: array<u32>; // [count] packed
@group(0) @binding(2) var<uniform> params: Params;

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
  let x_word = x[word];
  var bits = 0u;
  for (var i = 0u; i < ELEMENTS_PER_WORD; i++) {
    bits |= encode(apply(decode(x_word, i), params.first, params.second), i);
  }
  out[word] = bits;
}
