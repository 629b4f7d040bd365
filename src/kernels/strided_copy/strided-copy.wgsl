// strided_copy: out[i] = source[offset + position · position_stride + Σ coordinate · stride]
//
// One invocation a word of the output, which is contiguous: one element of four bytes, two of two or
// four of one. Strides and offsets count elements; negative strides walk backwards.
// With shared/invocation-index.wgsl.

const ELEMENTS_PER_WORD: u32 = 1u; // @param 4-, 2- or 1-byte elements: 1 | 2 | 4
const HAS_POSITION: bool = false; // @param whether input_pos moves the source

struct Params {
  count: u32,
  rank: u32,
  offset: i32,
  position_stride: i32,
  // Innermost dimension first; past the rank, size 1 and stride 0.
  size0: u32,
  size1: u32,
  size2: u32,
  size3: u32,
  size4: u32,
  size5: u32,
  size6: u32,
  size7: u32,
  stride0: i32,
  stride1: i32,
  stride2: i32,
  stride3: i32,
  stride4: i32,
  stride5: i32,
  stride6: i32,
  stride7: i32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> source: array<u32>; // packed
@group(0) @binding(2) var<storage, read> input_pos: array<u32>; // [1]; source again if absent
@group(0) @binding(3) var<uniform> params: Params;

// The coordinate along a dimension of `size`, taken off the linear index `rest`.
fn take(rest: ptr<function, u32>, size: u32) -> i32 {
  let outer = *rest / size;
  let coordinate = *rest - outer * size;
  *rest = outer;
  return i32(coordinate);
}

// Where element `index` of the output comes from.
fn source_index(index: u32) -> i32 {
  var rest = index;
  var at = params.offset;
  at += take(&rest, params.size0) * params.stride0;
  if (params.rank > 1u) {
    at += take(&rest, params.size1) * params.stride1;
  }
  if (params.rank > 2u) {
    at += take(&rest, params.size2) * params.stride2;
  }
  if (params.rank > 3u) {
    at += take(&rest, params.size3) * params.stride3;
  }
  if (params.rank > 4u) {
    at += take(&rest, params.size4) * params.stride4;
    at += take(&rest, params.size5) * params.stride5;
    at += take(&rest, params.size6) * params.stride6;
    at += take(&rest, params.size7) * params.stride7;
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
  var shift = 0i;
  if (HAS_POSITION) {
    shift = bitcast<i32>(input_pos[0]) * params.position_stride;
  }
  var bits = 0u;
  for (var i = 0u; i < ELEMENTS_PER_WORD && start + i < params.count; i++) {
    var at = source_index(start + i) + shift;
    if (HAS_POSITION) {
      // The planner cannot check a position that only the GPU knows.
      at = clamp(at, 0, i32(arrayLength(&source) * ELEMENTS_PER_WORD) - 1);
    }
    let from_word = source[u32(at) / ELEMENTS_PER_WORD];
    let element = extractBits(from_word, (u32(at) % ELEMENTS_PER_WORD) * BITS, BITS);
    bits |= element << (i * BITS);
  }
  out[word] = bits;
}
