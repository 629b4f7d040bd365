// A lane's share of OUTPUTS dot products for one row of x: blocks of 32 weights (16 bytes), which lie
// in one group. Needs K and the group size to be multiples of 32. With operands.wgsl.
//
// The low nibbles of a word's bytes are its even k, the high ones its odd k, so a word is two masks
// away from two vectors; x is brought into that order once for all outputs. All loads of an
// iteration come before the first use: many in flight hide their latency.

const OUTPUTS: u32 = 4u; // @param outputs a workgroup
const BLOCKS_PER_GROUP: u32 = 1u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [K / 4]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>; // [N, K / 32]

fn nibbles(bytes: u32) -> vec4<f32> {
  let shifted = vec4<u32>(bytes, bytes >> 8u, bytes >> 16u, bytes >> 24u);
  return vec4<f32>(shifted & vec4<u32>(15u)) - 8.0;
}

fn dot_word(word: u32, even: vec4<f32>, odd: vec4<f32>) -> f32 {
  return dot(even, nibbles(word)) + dot(odd, nibbles(word >> 4u));
}

fn partial_dots(first_output: u32, lane: u32, lanes: u32) -> array<f32, OUTPUTS> {
  let blocks = params.K / 32u;
  let groups = blocks / BLOCKS_PER_GROUP;
  // Written out: called in a loop, and compilers differ in when they clear what is not.
  var sums = array<f32, OUTPUTS>();
  for (var block = lane; block < blocks; block += lanes) {
    let group = block / BLOCKS_PER_GROUP;
    var words: array<vec4<u32>, OUTPUTS>;
    var scale: array<f32, OUTPUTS>;
    for (var r = 0u; r < OUTPUTS; r++) {
      // Past the last output the last one is computed again and not written.
      let n = min(first_output + r, params.N - 1u);
      words[r] = weight[n * blocks + block];
      scale[r] = read_scale(n * groups + group);
    }
    var inputs: array<vec4<f32>, 8>;
    for (var i = 0u; i < 8u; i++) {
      inputs[i] = x[block * 8u + i];
    }
    for (var i = 0u; i < 4u; i++) {
      let first = inputs[2u * i];
      let second = inputs[2u * i + 1u];
      let even = vec4<f32>(first.xz, second.xz);
      let odd = vec4<f32>(first.yw, second.yw);
      for (var r = 0u; r < OUTPUTS; r++) {
        sums[r] += scale[r] * dot_word(words[r][i], even, odd);
      }
    }
  }
  return sums;
}
