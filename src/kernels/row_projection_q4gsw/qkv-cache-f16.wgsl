// Two neighbouring values of an f16 cache, as stored: a word, so that no device feature is needed.
alias CachePair = u32;

const F16_MAX: f32 = 65504.0;

fn pack_pair(values: vec2<f32>) -> CachePair {
  // A value out of range would be indeterminate.
  return pack2x16float(clamp(values, vec2<f32>(-F16_MAX), vec2<f32>(F16_MAX)));
}
