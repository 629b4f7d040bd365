// fill: out[word] = bits. One invocation a word. With shared/invocation-index.wgsl.

struct Params {
  words: u32,
  bits: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [words]
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  if (word < params.words) {
    out[word] = params.bits;
  }
}
