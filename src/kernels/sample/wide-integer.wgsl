// Unsigned 64-bit integers as (low, high) words.

fn wide_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  let low = a.x + b.x;
  return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn wide_subtract(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return vec2(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn wide_less(a: vec2<u32>, b: vec2<u32>) -> bool {
  return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// The whole product of two words.
fn wide_product(a: u32, b: u32) -> vec2<u32> {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return vec2(
    (other << 16u) | (low & 0xffffu),
    (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u),
  );
}

// ⌊value · fraction / 2³²⌋
fn wide_scale(value: vec2<u32>, fraction: u32) -> vec2<u32> {
  let low = wide_product(value.x, fraction);
  return wide_add(wide_product(value.y, fraction), vec2(low.y, 0u));
}

// ⌈value · fraction / 2³²⌉
fn wide_scale_up(value: vec2<u32>, fraction: u32) -> vec2<u32> {
  let whole = wide_scale(value, fraction);
  return wide_add(whole, vec2(select(0u, 1u, value.x * fraction != 0u), 0u));
}
