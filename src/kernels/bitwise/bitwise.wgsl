// bitwise: out = a & b, a | b or ~a on whole words, whatever is packed in them; and the logical ones on
// bools, which are bytes of 0 or 1.
//
// One invocation a word. With shared/invocation-index.wgsl.

const AND: u32 = 0u;
const OR: u32 = 1u;
const NOT: u32 = 2u;
const LOGICAL_NOT: u32 = 3u;
const OP: u32 = AND; // @param AND | OR | NOT | LOGICAL_NOT

struct Params {
  words: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [words]
@group(0) @binding(1) var<storage, read> a: array<u32>; // [words]
@group(0) @binding(2) var<storage, read> b: array<u32>; // [words]; a again where there is no b
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  if (word >= params.words) {
    return;
  }
  let left = a[word];
  switch (OP) {
    case OR: {
      out[word] = left | b[word];
    }
    case NOT: {
      out[word] = ~left;
    }
    case LOGICAL_NOT: {
      out[word] = left ^ 0x01010101u;
    }
    default: {
      out[word] = left & b[word];
    }
  }
}
