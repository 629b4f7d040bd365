// elementwise_binary with broadcasting: out[i] = combine(a[i · a strides], b[i · b strides], alpha)
//
// One invocation a word of the output, which is contiguous. A stride of 0 repeats the operand along
// that dimension. With shared/element-*.wgsl and binary-ops-*.wgsl.

struct Params {
  count: u32,
  alpha: f32,
  rank: u32,
  // Innermost dimension first; past the rank, size 1 and stride 0.
  size0: u32,
  size1: u32,
  size2: u32,
  size3: u32,
  size4: u32,
  size5: u32,
  size6: u32,
  size7: u32,
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
@group(0) @binding(1) var<storage, read> a: array<u32>; // packed
@group(0) @binding(2) var<storage, read> b: array<u32>; // packed
@group(0) @binding(3) var<uniform> params: Params;

// The coordinate along a dimension of `size`, taken off the linear index `rest`.
fn take(rest: ptr<function, u32>, size: u32) -> u32 {
  let outer = *rest / size;
  let coordinate = *rest - outer * size;
  *rest = outer;
  return coordinate;
}

// Where element `index` of the output comes from, in a and in b.
fn sources(index: u32) -> vec2<u32> {
  var rest = index;
  var at = vec2<u32>();
  at += take(&rest, params.size0) * vec2<u32>(params.a_stride0, params.b_stride0);
  if (params.rank > 1u) {
    at += take(&rest, params.size1) * vec2<u32>(params.a_stride1, params.b_stride1);
  }
  if (params.rank > 2u) {
    at += take(&rest, params.size2) * vec2<u32>(params.a_stride2, params.b_stride2);
  }
  if (params.rank > 3u) {
    at += take(&rest, params.size3) * vec2<u32>(params.a_stride3, params.b_stride3);
  }
  if (params.rank > 4u) {
    at += take(&rest, params.size4) * vec2<u32>(params.a_stride4, params.b_stride4);
    at += take(&rest, params.size5) * vec2<u32>(params.a_stride5, params.b_stride5);
    at += take(&rest, params.size6) * vec2<u32>(params.a_stride6, params.b_stride6);
    at += take(&rest, params.size7) * vec2<u32>(params.a_stride7, params.b_stride7);
  }
  return at;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  let start = word * ELEMENTS_PER_WORD;
  if (start >= params.count) {
    return;
  }
  var bits = 0u;
  for (var i = 0u; i < ELEMENTS_PER_WORD && start + i < params.count; i++) {
    let at = sources(start + i);
    let left = decode(a[at.x / ELEMENTS_PER_WORD], at.x % ELEMENTS_PER_WORD);
    let right = decode(b[at.y / ELEMENTS_PER_WORD], at.y % ELEMENTS_PER_WORD);
    bits |= encode(combine(left, right, params.alpha), i);
  }
  out[word] = bits;
}
