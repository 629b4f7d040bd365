// The element type of a kernel on integers, computed as i32. With shared/element-types.wgsl.
const ELEMENT: u32 = I32; // @param I32 | I8 | U8 | BOOL
const ELEMENTS_PER_WORD: u32 = select(4u, 1u, ELEMENT == I32);
alias Value = i32;

fn decode(word: u32, lane: u32) -> Value {
  return decode_i32(ELEMENT, word, lane);
}

fn encode(value: Value, lane: u32) -> u32 {
  return encode_i32(ELEMENT, value, lane);
}
