// Eight neighbouring values of a split, as sdpa-split.wgsl leaves them beside an f16 cache.
alias PartialOctet = vec4<u32>;

fn first_quad(stored: PartialOctet) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

fn second_quad(stored: PartialOctet) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(stored.z), unpack2x16float(stored.w));
}
