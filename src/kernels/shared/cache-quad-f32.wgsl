// Four neighbouring values of an f32 cache, as stored.
alias CacheQuad = vec4<f32>;

fn unpack_quad(stored: CacheQuad) -> vec4<f32> {
  return stored;
}

fn pack_quad(values: vec4<f32>) -> CacheQuad {
  return values;
}
