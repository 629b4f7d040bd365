// Four neighbouring values of a split's output, as they are.
alias PartialQuad = vec4<f32>;

fn pack_partial(values: vec4<f32>) -> PartialQuad {
  return values;
}
