// strided_copy into part of the output, elements of four bytes:
// out[out_offset + Σ coordinate · out_stride] = source[offset + Σ coordinate · stride]
//
// One invocation an element. Strides and offsets count elements. With shared/invocation-index.wgsl.

struct Params {
  count: u32,
  rank: u32,
  offset: i32,
  out_offset: i32,
  // Innermost dimension first; past the rank, size 1 and strides 0.
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
  out_stride0: i32,
  out_stride1: i32,
  out_stride2: i32,
  out_stride3: i32,
  out_stride4: i32,
  out_stride5: i32,
  out_stride6: i32,
  out_stride7: i32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

// The coordinate along a dimension of `size`, taken off the linear index `rest`.
fn take(rest: ptr<function, u32>, size: u32) -> i32 {
  let outer = *rest / size;
  let coordinate = *rest - outer * size;
  *rest = outer;
  return i32(coordinate);
}

// Where element `index` comes from and goes to.
fn places(index: u32) -> vec2<i32> {
  var rest = index;
  var at = vec2(params.offset, params.out_offset);
  at += take(&rest, params.size0) * vec2<i32>(params.stride0, params.out_stride0);
  if (params.rank > 1u) {
    at += take(&rest, params.size1) * vec2<i32>(params.stride1, params.out_stride1);
  }
  if (params.rank > 2u) {
    at += take(&rest, params.size2) * vec2<i32>(params.stride2, params.out_stride2);
  }
  if (params.rank > 3u) {
    at += take(&rest, params.size3) * vec2<i32>(params.stride3, params.out_stride3);
  }
  if (params.rank > 4u) {
    at += take(&rest, params.size4) * vec2<i32>(params.stride4, params.out_stride4);
    at += take(&rest, params.size5) * vec2<i32>(params.stride5, params.out_stride5);
    at += take(&rest, params.size6) * vec2<i32>(params.stride6, params.out_stride6);
    at += take(&rest, params.size7) * vec2<i32>(params.stride7, params.out_stride7);
  }
  return at;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  if (index >= params.count) {
    return;
  }
  let at = places(index);
  out[at.y] = source[at.x];
}
