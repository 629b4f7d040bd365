// convert: out[i] = x[i] in another type
//
// One invocation a word of the output. Floats become integers by truncation, saturated to i32 and cut
// to the low bits of a narrower type; anything but 0 is true, NaN too
// (for which != is false as well).
// With shared/invocation-index.wgsl and shared/element-types.wgsl.

const FROM: u32 = F32; // @param type of x
const TO: u32 = F32; // @param type of out
const FROM_PER_WORD: u32 = select(select(4u, 2u, FROM == F16), 1u, FROM == F32 || FROM == I32);
const TO_PER_WORD: u32 = select(select(4u, 2u, TO == F16), 1u, TO == F32 || TO == I32);
const FROM_FLOAT: bool = FROM == F32 || FROM == F16;
const TO_FLOAT: bool = TO == F32 || TO == F16;

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<u32>; // [count] packed
@group(0) @binding(1) var<storage, read> x: array<u32>; // [count] packed
@group(0) @binding(2) var<uniform> params: Params;

fn converted(index: u32, place: u32) -> u32 {
  let word = x[index / FROM_PER_WORD];
  let from_place = index % FROM_PER_WORD;
  if (TO_FLOAT) {
    return encode_f32(TO, decode_f32(FROM, word, from_place), place);
  }
  if (FROM_FLOAT) {
    let value = decode_f32(FROM, word, from_place);
    if (TO == BOOL) {
      return encode_i32(BOOL, select(1, 0, value == 0.0), place);
    }
    return encode_i32(TO, i32(value), place);
  }
  return encode_i32(TO, decode_i32(FROM, word, from_place), place);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let word = invocation_index(workgroup_id, num_workgroups, lane);
  let start = word * TO_PER_WORD;
  if (start >= params.count) {
    return;
  }
  var bits = 0u;
  for (var i = 0u; i < TO_PER_WORD && start + i < params.count; i++) {
    bits |= converted(start + i, i);
  }
  out[word] = bits;
}
