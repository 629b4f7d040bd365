// where: out[i] = condition[…] ? a[…] : b[…], each read through its own strides (0 repeats)
//
// One invocation a word of the output, which is contiguous: one element of four bytes, two of two or
// four of one. Elements are moved, not interpreted. With shared/invocation-index.wgsl.

const ELEMENTS_PER_WORD: u32 = 1u; // @param 4-, 2- or 1-byte elements: 1 | 2 | 4

struct Params {
  count: u32,
  rank: u32,
  // Innermost dimension first; past the rank, size 1 and strides 0.
  size0: u32,
  size1: u32,
  size2: u32,
  size3: u32,
  size4: u32,
  size5: u32,
  size6: u32,
  size7: u32,
  condition_stride0: u32,
  condition_stride1: u32,
  condition_stride2: u32,
  condition_stride3: u32,
  condition_stride4: u32,
  condition_stride5: u32,
  condition_stride6: u32,
  condition_stride7: u32,
  a_stride0: u32,
  a_stride1: u32,
  a_stride2: u32,
  a_stride3: u32,
  a_stride4: u32,
  a_stride5: u32,
  a_stride6: u32,
  a_stride7: u32,
  b_stride0: u32,
  b_stride1: u32,
  b_stride2: u32,
  b_stride3: u32,
  b_stride4: u32,
  b_stride5: u32,
  b_stride6: u32,
  b_stride7: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> condition: array<u32>; // bool, four a word
@group(0) @binding(2) var<storage, read> a: array<u32>; // packed
@group(0) @binding(3) var<storage, read> b: array<u32>; // packed
@group(0) @binding(4) var<uniform> params: Params;

// The coordinate along a dimension of `size`, taken off the linear index `rest`.
fn take(rest: ptr<function, u32>, size: u32) -> u32 {
  let outer = *rest / size;
  let coordinate = *rest - outer * size;
  *rest = outer;
  return coordinate;
}

// Where element `index` of the output comes from, in condition, a and b.
fn sources(index: u32) -> vec3<u32> {
  var rest = index;
  var at = vec3<u32>();
  at += take(&rest, params.size0) * vec3<u32>(params.condition_stride0, params.a_stride0, params.b_stride0);
  if (params.rank > 1u) {
    at += take(&rest, params.size1) * vec3<u32>(params.condition_stride1, params.a_stride1, params.b_stride1);
  }
  if (params.rank > 2u) {
    at += take(&rest, params.size2) * vec3<u32>(params.condition_stride2, params.a_stride2, params.b_stride2);
  }
  if (params.rank > 3u) {
    at += take(&rest, params.size3) * vec3<u32>(params.condition_stride3, params.a_stride3, params.b_stride3);
  }
  if (params.rank > 4u) {
    at += take(&rest, params.size4) * vec3<u32>(params.condition_stride4, params.a_stride4, params.b_stride4);
    at += take(&rest, params.size5) * vec3<u32>(params.condition_stride5, params.a_stride5, params.b_stride5);
    at += take(&rest, params.size6) * vec3<u32>(params.condition_stride6, params.a_stride6, params.b_stride6);
    at += take(&rest, params.size7) * vec3<u32>(params.condition_stride7, params.a_stride7, params.b_stride7);
  }
  return at;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  const BITS: u32 = 32u / ELEMENTS_PER_WORD;
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  let start = word * ELEMENTS_PER_WORD;
  if (start >= params.count) {
    return;
  }
  var bits = 0u;
  for (var i = 0u; i < ELEMENTS_PER_WORD && start + i < params.count; i++) {
    let at = sources(start + i);
    let is_a = extractBits(condition[at.x / 4u], 8u * (at.x % 4u), 8u) != 0u;
    let place = select(at.z, at.y, is_a) % ELEMENTS_PER_WORD;
    var element = 0u;
    if (is_a) {
      element = a[at.y / ELEMENTS_PER_WORD];
    } else {
      element = b[at.z / ELEMENTS_PER_WORD];
    }
    bits |= extractBits(element, place * BITS, BITS) << (i * BITS);
  }
  out[word] = bits;
}
