// The row of x as attention left it. Every workgroup joins the splits for itself and keeps the row as
// limbs. With attention-partials.wgsl, limb-dot.wgsl and shared/limb-words.wgsl.

// The row, [5, K / 32, 4]. Words, not vectors: lanes must not write different parts of one vector.
var<workgroup> limbs: array<u32, OCTETS * 5u>;

fn prepare_input(lane: u32) {
  for (var start = 0u; start < OCTETS; start += WORKGROUP_SIZE / SHARE) {
    // Past the end the last octet is computed again and not kept.
    let wanted = octet_of_lane(start, lane);
    let octet = min(wanted, OCTETS - 1u);
    let words = octet_words(octet, share_of_lane(lane));
    if (share_of_lane(lane) == 0u && wanted < OCTETS) {
      limbs[octet] = words.high_even;
      limbs[OCTETS + octet] = words.high_odd;
      limbs[2u * OCTETS + octet] = words.low_even;
      limbs[3u * OCTETS + octet] = words.low_odd;
      limbs[4u * OCTETS + octet] = words.rest;
    }
  }
  workgroupBarrier();
}

fn four_words(at: u32) -> vec4<u32> {
  return vec4<u32>(limbs[at], limbs[at + 1u], limbs[at + 2u], limbs[at + 3u]);
}

fn read_input(block: u32) -> Input {
  let word = block * 4u;
  return Input(
    four_words(word),
    four_words(OCTETS + word),
    four_words(2u * OCTETS + word),
    four_words(3u * OCTETS + word),
    bitcast<vec2<f32>>(vec2<u32>(limbs[4u * OCTETS + word], limbs[4u * OCTETS + word + 2u])),
    0.0,
  );
}
