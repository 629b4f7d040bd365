// elementwise_binary on operands of one shape: out[i] = combine(a[i], b[i], alpha)
//
// One invocation a word. With shared/element-*.wgsl and binary-ops-*.wgsl.

struct Params {
  count: u32,
  alpha: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> a: array<u32>; // [count] packed
@group(0) @binding(2) var<storage, read> b: array<u32>; // [count] packed
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
  let a_word = a[word];
  let b_word = b[word];
  var bits = 0u;
  for (var i = 0u; i < ELEMENTS_PER_WORD; i++) {
    bits |= encode(combine(decode(a_word, i), decode(b_word, i), params.alpha), i);
  }
  out[word] = bits;
}
