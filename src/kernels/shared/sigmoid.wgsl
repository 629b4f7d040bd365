// 1 / (1 + e^−x). The exponent is kept where e^−x is finite: nothing is promised for infinities.
fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(min(-x, 80.0)));
}
