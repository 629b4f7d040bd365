// A lane's share of OUTPUTS dot products for one row of x: words of 8 weights, which lie in one
// group. Needs K and the group size to be multiples of 8. With operands.wgsl.

const OUTPUTS: u32 = 4u; // @param outputs a workgroup
const WORDS_PER_GROUP: u32 = 4u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [K / 4]
@group(0) @binding(5) var<storage, read> weight: array<u32>; // [N, K / 8]

fn nibbles(half_word: u32) -> vec4<f32> {
  let shifted = vec4<u32>(half_word, half_word >> 4u, half_word >> 8u, half_word >> 12u);
  return vec4<f32>(shifted & vec4<u32>(15u)) - 8.0;
}

fn partial_dots(first_output: u32, lane: u32, lanes: u32) -> array<f32, OUTPUTS> {
  let words = params.K / 8u;
  let groups = words / WORDS_PER_GROUP;
  // Written out: called in a loop, and compilers differ in when they clear what is not.
  var sums = array<f32, OUTPUTS>();
  for (var at = lane; at < words; at += lanes) {
    let group = at / WORDS_PER_GROUP;
    let low = x[2u * at];
    let high = x[2u * at + 1u];
    for (var r = 0u; r < OUTPUTS; r++) {
      // Past the last output the last one is computed again and not written.
      let n = min(first_output + r, params.N - 1u);
      let word = weight[n * words + at];
      let sum = dot(low, nibbles(word)) + dot(high, nibbles(word >> 16u));
      sums[r] += read_scale(n * groups + group) * sum;
    }
  }
  return sums;
}
