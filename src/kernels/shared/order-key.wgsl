// f32 bits to integers in the same order: −inf < … < −0 = 0 < … < inf. NaN has no place.
fn order_key(bits: u32) -> u32 {
  if (bits == 0x80000000u) {
    return 0x80000000u;
  }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// The float bits of a key.
fn order_key_bits(key: u32) -> u32 {
  return select(~key, key & 0x7fffffffu, (key >> 31u) == 1u);
}

// A test on bits: compilers may assume that floats are never NaN.
fn is_nan_bits(bits: u32) -> bool {
  return (bits & 0x7fffffffu) > 0x7f800000u;
}
