// Where a kernel leaves a row as limbs. With limb-words.wgsl.

@group(0) @binding(0) var<storage, read_write> out_limbs: array<u32>; // [5, values / 32, 4]

// An octet's words of a row of `octets`.
fn store_limb_words(words: LimbWords, octet: u32, octets: u32) {
  out_limbs[octet] = words.high_even;
  out_limbs[octets + octet] = words.high_odd;
  out_limbs[2u * octets + octet] = words.low_even;
  out_limbs[3u * octets + octet] = words.low_odd;
  out_limbs[4u * octets + octet] = words.rest;
}
