// Operations of elementwise_binary on floats. With shared/element-float.wgsl.
const ADD: u32 = 0u;
const SUB: u32 = 1u;
const MUL: u32 = 2u;
const DIV: u32 = 3u;
const MINIMUM: u32 = 4u;
const POW: u32 = 5u;
const DIV_FLOOR: u32 = 6u;
const OP: u32 = ADD; // @param ADD | SUB | MUL | DIV | MINIMUM | POW | DIV_FLOOR

fn combine(a: Value, b: Value, alpha: f32) -> Value {
  switch (OP) {
    case SUB: {
      return a - alpha * b;
    }
    case MUL: {
      return a * b;
    }
    case DIV: {
      return a / b;
    }
    case MINIMUM: {
      return min(a, b);
    }
    case POW: {
      return signed_power(a, b);
    }
    case DIV_FLOOR: {
      return floor_quotient(a, b);
    }
    default: {
      return a + alpha * b;
    }
  }
}

// ⌊a / b⌋. A division may be off by a few ulps, which matters where it is nearly an integer: the
// remainder decides.
fn floor_quotient(a: f32, b: f32) -> f32 {
  var quotient = floor(a / b);
  let remainder = (a - quotient * b) * sign(b);
  if (remainder < 0.0) {
    quotient -= 1.0;
  } else if (remainder >= abs(b)) {
    quotient += 1.0;
  }
  return quotient;
}
