// What the sampling buffer says, and the logits it changes. With shared/order-key.wgsl.

const TEMPERATURE: u32 = 0u;
const TOP_K: u32 = 1u;
const TOP_P: u32 = 2u;
const MIN_P: u32 = 3u;
const REPETITION_PENALTY: u32 = 4u;
const SEED: u32 = 5u;

// A logit after the repetition penalty (Keskar et al., 2019): whatever its sign, it shrinks.
fn penalised(logit: f32, penalty: f32) -> f32 {
  return select(logit * penalty, logit / penalty, logit > 0.0);
}

// What logits are divided by. At temperature 0 only the best counts, whatever it is divided by.
fn temperature_divisor(temperature: f32) -> f32 {
  return select(1.0, temperature, temperature > 0.0);
}

// The order key of a logit after the penalty of a token seen before; NaN is below everything.
fn logit_key(bits: u32, is_seen: bool, penalty: f32, temperature: f32) -> u32 {
  if (is_nan_bits(bits)) {
    return 0u;
  }
  var logit = bitcast<f32>(bits);
  if (is_seen && penalty != 1.0) {
    logit = penalised(logit, penalty);
  }
  if (temperature != 1.0) {
    logit /= temperature;
  }
  return order_key(bitcast<u32>(logit));
}
