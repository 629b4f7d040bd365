// A row of x in f32, brought into the order of the weights: a word's low nibbles are its even k, the
// high ones its odd k.

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [K / 4]

struct Input {
  even: array<vec4<f32>, 4>,
  odd: array<vec4<f32>, 4>,
}

fn read_input(block: u32) -> Input {
  var input: Input;
  for (var i = 0u; i < 4u; i++) { // @unroll
    let first = x[block * 8u + 2u * i];
    let second = x[block * 8u + 2u * i + 1u];
    input.even[i] = vec4<f32>(first.xz, second.xz);
    input.odd[i] = vec4<f32>(first.yw, second.yw);
  }
  return input;
}

// Normalised already, where it is to be.
fn squares_of(input: Input) -> f32 {
  return 0.0;
}

fn nibbles(bytes: u32) -> vec4<f32> {
  let shifted = vec4<u32>(bytes, bytes >> 8u, bytes >> 16u, bytes >> 24u);
  return vec4<f32>(shifted & vec4<u32>(15u)) - 8.0;
}

// 32 weights times 32 inputs.
fn dot_block(words: vec4<u32>, input: Input) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < 4u; i++) { // @unroll
    sum += dot(input.even[i], nibbles(words[i])) + dot(input.odd[i], nibbles(words[i] >> 4u));
  }
  return sum;
}
