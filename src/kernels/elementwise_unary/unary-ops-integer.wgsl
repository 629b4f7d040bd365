// Operations of elementwise_unary on i32. With shared/element-integer.wgsl.
const RELU: u32 = 0u;
const ABS: u32 = 1u;
const NEG: u32 = 2u;
const CLAMP: u32 = 3u;
const OP: u32 = RELU; // @param RELU | ABS | NEG | CLAMP

fn apply(x: Value, first: f32, second: f32) -> Value {
  switch (OP) {
    case ABS: {
      return abs(x);
    }
    case NEG: {
      return -x;
    }
    case CLAMP: {
      return min(max(x, i32(first)), i32(second));
    }
    default: {
      return max(x, 0);
    }
  }
}
