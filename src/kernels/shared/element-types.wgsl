// Elements packed in u32 words: one f32 or i32, two f16, four i8, u8 or bool (0 or 1) a word, the
// first in the low bits. Needs no `shader-f16`. The type is always a constant, so that the
// switches fold away.
const F32: u32 = 0u;
const I32: u32 = 1u;
const F16: u32 = 2u;
const I8: u32 = 3u;
const U8: u32 = 4u;
const BOOL: u32 = 5u;

// An f32 to the f16 bits in the low half; beyond the f16 range it becomes an infinity, which
// pack2x16float does not promise.
fn f16_bits(value: f32) -> u32 {
  if (abs(value) >= 65520.0) {
    return select(0x7c00u, 0xfc00u, value < 0.0);
  }
  return pack2x16float(vec2(value, 0.0)) & 0xffffu;
}

// Element `lane` of a word, as a float. Integers are converted.
fn decode_f32(element: u32, word: u32, lane: u32) -> f32 {
  switch (element) {
    case F32: {
      return bitcast<f32>(word);
    }
    case F16: {
      return unpack2x16float(word >> (16u * lane)).x;
    }
    default: {
      return f32(decode_i32(element, word, lane));
    }
  }
}

// Element `lane` of a word of an integer type or bool.
fn decode_i32(element: u32, word: u32, lane: u32) -> i32 {
  switch (element) {
    case I8: {
      return extractBits(bitcast<i32>(word), 8u * lane, 8u);
    }
    case U8: {
      return bitcast<i32>(extractBits(word, 8u * lane, 8u));
    }
    case BOOL: {
      return select(0, 1, extractBits(word, 8u * lane, 8u) != 0u);
    }
    default: {
      return bitcast<i32>(word);
    }
  }
}

// The bits of a float at element `lane` of a word, the other bits zero. For f32 and f16.
fn encode_f32(element: u32, value: f32, lane: u32) -> u32 {
  switch (element) {
    case F16: {
      return f16_bits(value) << (16u * lane);
    }
    default: {
      return bitcast<u32>(value);
    }
  }
}

// The bits of an integer at element `lane` of a word, the other bits zero. Wraps where too large.
fn encode_i32(element: u32, value: i32, lane: u32) -> u32 {
  switch (element) {
    case I8, U8: {
      return (bitcast<u32>(value) & 0xffu) << (8u * lane);
    }
    case BOOL: {
      return select(0u, 1u, value != 0) << (8u * lane);
    }
    default: {
      return bitcast<u32>(value);
    }
  }
}
