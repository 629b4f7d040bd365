// 32 values of a row as two int8 limbs: 256 · h + l, times a scale (layout: src/quant/int8-limbs.ts).
// Products with 4-bit weights are exact integers; one multiplication makes a block's sum an f32.
requires packed_4x8_integer_dot_product;

struct Input {
  high_even: vec4<u32>,
  high_odd: vec4<u32>,
  low_even: vec4<u32>,
  low_odd: vec4<u32>,
  scale: f32,
  sum: i32, // 8 · Σ of the integers: weights are stored with 8 added
  squares: f32, // Σ of squares before the norm's weights
}

fn squares_of(input: Input) -> f32 {
  return input.squares;
}

fn dot_bytes(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z)
    + dot4I8Packed(a.w, b.w);
}

// 32 weights times 32 inputs. The low nibbles of a word's bytes are its even k, the high ones its odd.
fn dot_block(words: vec4<u32>, input: Input) -> f32 {
  let even = words & vec4<u32>(0x0F0F0F0Fu);
  let odd = (words >> vec4<u32>(4u)) & vec4<u32>(0x0F0F0F0Fu);
  let high = dot_bytes(even, input.high_even) + dot_bytes(odd, input.high_odd);
  let low = dot_bytes(even, input.low_even) + dot_bytes(odd, input.low_odd);
  return input.scale * f32(256 * high + low - input.sum);
}
