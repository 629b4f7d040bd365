// The element type of a kernel on floats, computed as f32. With shared/element-types.wgsl.
const ELEMENT: u32 = F32; // @param F32 | F16
const ELEMENTS_PER_WORD: u32 = select(1u, 2u, ELEMENT == F16);
alias Value = f32;

fn decode(word: u32, lane: u32) -> Value {
  return decode_f32(ELEMENT, word, lane);
}

fn encode(value: Value, lane: u32) -> u32 {
  return encode_f32(ELEMENT, value, lane);
}
