// What reduce does differently with integers. With shared/element-integer.wgsl.

// In the opposite order; the complement, because −2^31 has no negative.
fn reversed(value: Value) -> Value {
  return ~value;
}

// Never asked for: a mean of integers is no integer.
fn mean_of(sum: Value, count: u32) -> Value {
  return sum;
}
