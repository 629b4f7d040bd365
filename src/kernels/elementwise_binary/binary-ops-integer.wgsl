// Operations of elementwise_binary on i32. With shared/element-integer.wgsl.
const ADD: u32 = 0u;
const SUB: u32 = 1u;
const MUL: u32 = 2u;
const MINIMUM: u32 = 3u;
const DIV_FLOOR: u32 = 4u;
const OP: u32 = ADD; // @param ADD | SUB | MUL | MINIMUM | DIV_FLOOR

fn combine(a: Value, b: Value, alpha: f32) -> Value {
  switch (OP) {
    case SUB: {
      return a - i32(alpha) * b;
    }
    case MUL: {
      return a * b;
    }
    case MINIMUM: {
      return min(a, b);
    }
    case DIV_FLOOR: {
      let quotient = a / b;
      // WGSL truncates: one less where the signs differ and something was cut off.
      return select(quotient, quotient - 1, (a ^ b) < 0 && quotient * b != a);
    }
    default: {
      return a + i32(alpha) * b;
    }
  }
}
