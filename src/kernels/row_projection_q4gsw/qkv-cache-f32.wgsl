// Two neighbouring values of an f32 cache.
alias CachePair = vec2<f32>;

fn pack_pair(values: vec2<f32>) -> CachePair {
  return values;
}
