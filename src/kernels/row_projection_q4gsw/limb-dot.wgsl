// 32 values of a row as two int8 limbs: 256 · h + l, times a scale for each half of them (layout:
// src/quant/int8-limbs.ts). Products with 4-bit weights are exact integers, and so is a half's sum in f32.
requires packed_4x8_integer_dot_product;

// Elements 0 to 15 are the words x and y, the rest z and w.
struct Input {
  high_even: vec4<u32>,
  high_odd: vec4<u32>,
  low_even: vec4<u32>,
  low_odd: vec4<u32>,
  scales: vec2<f32>, // a sixteenth of each half's
  squares: f32, // Σ of squares before the norm's weights
}

fn squares_of(input: Input) -> f32 {
  return input.squares;
}

// Signed bytes of 16 times the weights in the high nibbles, which are stored with 8 added: one
// instruction where there are ternary ones.
fn weights_of_high_nibbles(words: vec4<u32>) -> vec4<u32> {
  return (words & vec4<u32>(0xF0F0F0F0u)) ^ vec4<u32>(0x80808080u);
}

fn dot_bytes(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z)
    + dot4I8Packed(a.w, b.w);
}

// 32 weights times 32 inputs. The low nibbles of a word's bytes are its even k, the high ones its odd.
fn dot_block(words: vec4<u32>, input: Input) -> f32 {
  let even = weights_of_high_nibbles(words << vec4<u32>(4u));
  let odd = weights_of_high_nibbles(words);
  let first = vec4<u32>(even.xy, odd.xy);
  let second = vec4<u32>(even.zw, odd.zw);
  let sums = vec2<i32>(
    256 * dot_bytes(first, vec4<u32>(input.high_even.xy, input.high_odd.xy))
      + dot_bytes(first, vec4<u32>(input.low_even.xy, input.low_odd.xy)),
    256 * dot_bytes(second, vec4<u32>(input.high_even.zw, input.high_odd.zw))
      + dot_bytes(second, vec4<u32>(input.low_even.zw, input.low_odd.zw)),
  );
  return dot(input.scales, vec2<f32>(sums));
}
