// Four neighbouring values of an f16 cache, as stored: two words of two halves each, so that no
// device feature is needed.
alias CacheQuad = vec2<u32>;

const F16_MAX: f32 = 65504.0;

fn unpack_quad(stored: CacheQuad) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

fn pack_quad(values: vec4<f32>) -> CacheQuad {
  // A value out of range would be indeterminate.
  let limited = clamp(values, vec4<f32>(-F16_MAX), vec4<f32>(F16_MAX));
  return vec2<u32>(pack2x16float(limited.xy), pack2x16float(limited.zw));
}
