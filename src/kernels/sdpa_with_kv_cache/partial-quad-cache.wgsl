// Four neighbouring values of a split's output, as a cache stores them. With shared/cache-quad-*.wgsl.
alias PartialQuad = CacheQuad;

fn pack_partial(values: vec4<f32>) -> PartialQuad {
  return pack_quad(values);
}
