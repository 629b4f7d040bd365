// The row of x as attention left it. Every workgroup joins the splits for itself and keeps the row as
// limbs. With attention-partials.wgsl, limb-dot.wgsl and shared/limb-words.wgsl.

const BLOCKS: u32 = OCTETS / 4u;

// The row, an octet's word of each block and plane.
var<workgroup> limbs: array<vec4<u32>, BLOCKS * 5u>; // [5, K / 32]

fn joined_octet(octet: u32) -> Part {
  var all = part_of(octet, 0u);
  for (var split = 1u; split < params.splits; split += 2u) {
    // Two at a time hide each other's latency; more would make a kernel that runs once too long to load.
    let a = part_of(octet, split);
    let b = part_of(octet, split + 1u);
    all = joined(all, joined(a, b));
  }
  return all;
}

fn prepare_input(lane: u32) {
  for (var start = 0u; start < OCTETS; start += WORKGROUP_SIZE) {
    // Past the end the last octets are computed again and not kept.
    let octet = min(start + lane, OCTETS - 1u);
    let words = part_words(joined_octet(octet), octet);
    if (start + lane < OCTETS) {
      let block = octet / 4u;
      let word = octet % 4u;
      limbs[block][word] = words.high_even;
      limbs[BLOCKS + block][word] = words.high_odd;
      limbs[2u * BLOCKS + block][word] = words.low_even;
      limbs[3u * BLOCKS + block][word] = words.low_odd;
      limbs[4u * BLOCKS + block][word] = words.rest;
    }
  }
  workgroupBarrier();
}

fn read_input(block: u32) -> Input {
  return Input(
    limbs[block],
    limbs[BLOCKS + block],
    limbs[2u * BLOCKS + block],
    limbs[3u * BLOCKS + block],
    bitcast<vec2<f32>>(limbs[4u * BLOCKS + block].xz),
    0.0,
  );
}
