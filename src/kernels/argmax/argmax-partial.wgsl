// argmax and argmin over the middle of [outer, width, inner], first half: the best element of each part
// of each row, that is of each pair of outer and inner.
//
// One workgroup a part. Elements compare by integer keys that order floats (NaN above all, −0 as 0),
// so that no GPU's view of NaN or of small numbers matters; of equal keys the lower index wins.
// With shared/invocation-index.wgsl, shared/element-types.wgsl, shared/order-key.wgsl and
// shared/workgroup-best.wgsl.

const LARGEST: bool = true; // @param false looks for the smallest
const ELEMENT: u32 = F32; // @param F32 | F16 | I32
const ELEMENTS_PER_WORD: u32 = select(1u, 2u, ELEMENT == F16);
// Infinity. f16 bits in the high half of a word order as f32 bits do.
const INFINITY_BITS: u32 = select(0x7f800000u, 0x7c000000u, ELEMENT == F16);

struct Params {
  rows: u32,
  width: u32,
  inner: u32,
  parts: u32,
}

@group(0) @binding(0) var<storage, read_write> best: array<vec2<u32>>; // [rows, parts]: key, index
@group(0) @binding(1) var<storage, read> x: array<u32>; // [outer, width, inner] packed
@group(0) @binding(2) var<uniform> params: Params;

fn element_key(index: u32) -> u32 {
  let bits = x[index / ELEMENTS_PER_WORD];
  var key = bits ^ 0x80000000u;
  if (ELEMENT != I32) {
    var float_bits = bits;
    if (ELEMENT == F16) {
      float_bits = (bits << (16u * (1u - index % 2u))) & 0xffff0000u;
    }
    if ((float_bits & 0x7fffffffu) > INFINITY_BITS) {
      return 0xffffffffu;
    }
    key = order_key(float_bits);
  }
  return select(~key, key, LARGEST);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (group >= params.rows * params.parts) {
    return;
  }
  let row = group / params.parts;
  let part = group % params.parts;
  let start = (row / params.inner) * params.width * params.inner + row % params.inner;
  let stride = params.parts * WORKGROUP_SIZE;
  var candidate = vec2(0u, 0xffffffffu);
  for (var i = part * WORKGROUP_SIZE + lane; i < params.width; i += stride) {
    candidate = better(candidate, vec2(element_key(start + i * params.inner), i));
  }
  candidate = workgroup_best(candidate, lane);
  if (lane == 0u) {
    best[group] = candidate;
  }
}
