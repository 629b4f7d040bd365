// base^exponent with a negative base too, which WGSL's pow leaves undefined: NaN unless the
// exponent is an integer, then of the sign the exponent's parity gives.
fn signed_power(base: f32, exponent: f32) -> f32 {
  if (exponent == 0.0) {
    return 1.0;
  }
  let magnitude = pow(abs(base), exponent);
  if (base >= 0.0) {
    return magnitude;
  }
  if (floor(exponent) != exponent) {
    // A constant NaN would be a shader-creation error.
    var nan_bits = 0x7fc00000u;
    return bitcast<f32>(nan_bits);
  }
  let odd = floor(exponent * 0.5) * 2.0 != exponent;
  return select(magnitude, -magnitude, odd);
}
