// Eight neighbouring k of a row of x as f16, in four pairs k and k + 4: the order in which a word of 4-bit
// weights gives its nibbles.
const F16_MAX: f32 = 65504.0;

// What half precision cannot hold becomes its largest value rather than an infinity.
fn half_pair(low: f32, high: f32) -> u32 {
  let pair = clamp(vec2<f32>(low, high), vec2<f32>(-F16_MAX), vec2<f32>(F16_MAX));
  return pack2x16float(pair);
}

fn octet_halves(low: vec4<f32>, high: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(
    half_pair(low.x, high.x),
    half_pair(low.y, high.y),
    half_pair(low.z, high.z),
    half_pair(low.w, high.w),
  );
}
