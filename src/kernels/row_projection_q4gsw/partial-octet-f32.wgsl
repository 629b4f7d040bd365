// Eight neighbouring values of a split, as sdpa-split.wgsl leaves them beside an f32 cache.
alias PartialOctet = array<vec4<f32>, 2>;

fn first_quad(stored: PartialOctet) -> vec4<f32> {
  return stored[0];
}

fn second_quad(stored: PartialOctet) -> vec4<f32> {
  return stored[1];
}
