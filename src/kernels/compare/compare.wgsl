// compare: out[i] = a[i] ⋛ b[i] as a bool, or a[i] ⋛ scalar
//
// One invocation a word of the output, four elements. With shared/invocation-index.wgsl and
// shared/element-types.wgsl.

const EQ: u32 = 0u;
const NE: u32 = 1u;
const LT: u32 = 2u;
const LE: u32 = 3u;
const GT: u32 = 4u;
const GE: u32 = 5u;
const OP: u32 = EQ; // @param EQ | NE | LT | LE | GT | GE
const ELEMENT: u32 = F32; // @param type of a and b
const AS_INTEGERS: bool = false; // @param compares i32, which f32 cannot hold
const B_IS_SCALAR: bool = false; // @param

const ELEMENTS_PER_WORD: u32 =
  select(select(4u, 2u, ELEMENT == F16), 1u, ELEMENT == F32 || ELEMENT == I32);

struct Params {
  count: u32,
  scalar: f32,
  integer_scalar: i32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] bool, packed
@group(0) @binding(1) var<storage, read> a: array<u32>; // [count] packed
@group(0) @binding(2) var<storage, read> b: array<u32>; // [count] packed; a again if a scalar
@group(0) @binding(3) var<uniform> params: Params;

fn holds_f32(left: f32, right: f32) -> bool {
  switch (OP) {
    case NE: {
      // Of NaN, != is false like every other comparison.
      return !(left == right);
    }
    case LT: {
      return left < right;
    }
    case LE: {
      return left <= right;
    }
    case GT: {
      return left > right;
    }
    case GE: {
      return left >= right;
    }
    default: {
      return left == right;
    }
  }
}

fn holds_i32(left: i32, right: i32) -> bool {
  switch (OP) {
    case NE: {
      return left != right;
    }
    case LT: {
      return left < right;
    }
    case LE: {
      return left <= right;
    }
    case GT: {
      return left > right;
    }
    case GE: {
      return left >= right;
    }
    default: {
      return left == right;
    }
  }
}

fn holds(i: u32) -> bool {
  let word = i / ELEMENTS_PER_WORD;
  let place = i % ELEMENTS_PER_WORD;
  let left = a[word];
  if (AS_INTEGERS) {
    var right = params.integer_scalar;
    if (!B_IS_SCALAR) {
      right = decode_i32(ELEMENT, b[word], place);
    }
    return holds_i32(decode_i32(ELEMENT, left, place), right);
  }
  var right = params.scalar;
  if (!B_IS_SCALAR) {
    right = decode_f32(ELEMENT, b[word], place);
  }
  return holds_f32(decode_f32(ELEMENT, left, place), right);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  let start = 4u * word;
  if (start >= params.count) {
    return;
  }
  var bits = 0u;
  for (var i = 0u; i < 4u && start + i < params.count; i++) {
    bits |= select(0u, 1u, holds(start + i)) << (8u * i);
  }
  out[word] = bits;
}
