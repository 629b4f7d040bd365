// gather: out[i] = x[Σ coordinate · x_stride + wrap(indices[Σ coordinate · index_stride]) · axis_stride]
//
// One invocation a word of the output, which is contiguous: one element of four bytes, two of two or
// four of one. A negative index counts from the end; one outside the axis is clamped to it.
// With shared/invocation-index.wgsl.

const ELEMENTS_PER_WORD: u32 = 1u; // @param 4-, 2- or 1-byte elements: 1 | 2 | 4

struct Params {
  count: u32,
  rank: u32,
  axis_size: u32,
  axis_stride: u32,
  // Innermost dimension first; past the rank, size 1 and strides 0.
  size0: u32,
  size1: u32,
  size2: u32,
  size3: u32,
  size4: u32,
  size5: u32,
  size6: u32,
  size7: u32,
  index_stride0: u32,
  index_stride1: u32,
  index_stride2: u32,
  index_stride3: u32,
  index_stride4: u32,
  index_stride5: u32,
  index_stride6: u32,
  index_stride7: u32,
  x_stride0: u32,
  x_stride1: u32,
  x_stride2: u32,
  x_stride3: u32,
  x_stride4: u32,
  x_stride5: u32,
  x_stride6: u32,
  x_stride7: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> x: array<u32>; // packed
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<uniform> params: Params;

// The coordinate along a dimension of `size`, taken off the linear index `rest`.
fn take(rest: ptr<function, u32>, size: u32) -> u32 {
  let outer = *rest / size;
  let coordinate = *rest - outer * size;
  *rest = outer;
  return coordinate;
}

// Where element `index` of the output has its index, and where it comes from without that.
fn sources(index: u32) -> vec2<u32> {
  var rest = index;
  var at = vec2<u32>();
  at += take(&rest, params.size0) * vec2<u32>(params.index_stride0, params.x_stride0);
  if (params.rank > 1u) {
    at += take(&rest, params.size1) * vec2<u32>(params.index_stride1, params.x_stride1);
  }
  if (params.rank > 2u) {
    at += take(&rest, params.size2) * vec2<u32>(params.index_stride2, params.x_stride2);
  }
  if (params.rank > 3u) {
    at += take(&rest, params.size3) * vec2<u32>(params.index_stride3, params.x_stride3);
  }
  if (params.rank > 4u) {
    at += take(&rest, params.size4) * vec2<u32>(params.index_stride4, params.x_stride4);
    at += take(&rest, params.size5) * vec2<u32>(params.index_stride5, params.x_stride5);
    at += take(&rest, params.size6) * vec2<u32>(params.index_stride6, params.x_stride6);
    at += take(&rest, params.size7) * vec2<u32>(params.index_stride7, params.x_stride7);
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
    let size = i32(params.axis_size);
    let index = indices[at.x];
    let row = u32(clamp(select(index, index + size, index < 0), 0, size - 1));
    let place = at.y + row * params.axis_stride;
    let element = x[place / ELEMENTS_PER_WORD];
    bits |= extractBits(element, (place % ELEMENTS_PER_WORD) * BITS, BITS) << (i * BITS);
  }
  out[word] = bits;
}
