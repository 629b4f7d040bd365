// A row of x in half precision, with a scale for 32 values (written by write-halves.wgsl). A nibble n
// in the low bits of 0x6400 is the f16 1024 + n, so that two weights are a mask and a subtraction away
// from their values; products of a block are added up in f16, blocks in f32.

@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>; // [K / 32, 5]

struct Input {
  octets: array<vec4<u32>, 4>,
  scale: f32,
  squares: f32, // Σ of squares before the norm's weights
}

fn read_input(block: u32) -> Input {
  var octets: array<vec4<u32>, 4>;
  for (var i = 0u; i < 4u; i++) { // @unroll
    octets[i] = x[block * 5u + i];
  }
  let rest = x[block * 5u + 4u];
  return Input(octets, bitcast<f32>(rest.x), bitcast<f32>(rest.y));
}

fn squares_of(input: Input) -> f32 {
  return input.squares;
}

// Nibbles at bits 0 and 16.
fn weight_pair(bits: u32) -> vec2<f16> {
  return bitcast<vec2<f16>>((bits & 0x000F000Fu) | 0x64006400u) - vec2<f16>(1032.0h);
}

// 32 weights times 32 inputs.
fn dot_block(words: vec4<u32>, input: Input) -> f32 {
  var sum = vec2<f16>();
  for (var i = 0u; i < 4u; i++) { // @unroll
    let octet = input.octets[i];
    sum = fma(weight_pair(words[i]), bitcast<vec2<f16>>(octet.x), sum);
    sum = fma(weight_pair(words[i] >> 4u), bitcast<vec2<f16>>(octet.y), sum);
    sum = fma(weight_pair(words[i] >> 8u), bitcast<vec2<f16>>(octet.z), sum);
    sum = fma(weight_pair(words[i] >> 12u), bitcast<vec2<f16>>(octet.w), sum);
  }
  return input.scale * (f32(sum.x) + f32(sum.y));
}
