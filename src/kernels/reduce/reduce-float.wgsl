// What reduce does differently with floats. With shared/element-float.wgsl.

// In the opposite order.
fn reversed(value: Value) -> Value {
  return -value;
}

fn mean_of(sum: Value, count: u32) -> Value {
  return sum / f32(count);
}
