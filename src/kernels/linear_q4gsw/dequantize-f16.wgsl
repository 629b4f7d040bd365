// Weights as f16, eight k of a row to a vector, as four pairs k and k + 4: the order in which a word's
// nibbles come out in pairs. Both operands of a product have it, so sums over k do not notice.

// Two nibbles become the low bits of 1024 + nibble, which f16 holds exactly.
fn weight_pair(nibbles: u32, scale: vec2<f16>) -> u32 {
  let raised = bitcast<vec2<f16>>((nibbles & 0x000f000fu) | 0x64006400u);
  return bitcast<u32>((raised - vec2<f16>(1032.0h)) * scale);
}

fn weight_halves(word: u32, scale: vec2<f16>) -> vec4<u32> {
  return vec4<u32>(
    weight_pair(word, scale),
    weight_pair(word >> 4u, scale),
    weight_pair(word >> 8u, scale),
    weight_pair(word >> 12u, scale),
  );
}
