// The row of x as attention left it. Every workgroup joins the splits for itself and keeps the row as
// limbs. With attention-partials.wgsl, limb-dot.wgsl and shared/limb-words.wgsl.

// The row: high_even, high_odd, low_even and low_odd of an octet, [4, K / 32], and scales, [2, K / 32].
// Octets of a block lie apart, so that neighbouring lanes read neighbouring vectors.
var<workgroup> octet_limbs: array<vec4<u32>, OCTETS>;
var<workgroup> group_scales: array<f32, OCTETS / 2u>;

const BLOCKS: u32 = OCTETS / 4u;

fn prepare_input(lane: u32) {
  for (var start = 0u; start < OCTETS; start += WORKGROUP_SIZE / SHARE) {
    // Past the end the last octet is computed again and not kept.
    let wanted = octet_of_lane(start, lane);
    let octet = min(wanted, OCTETS - 1u);
    let words = octet_words(octet, share_of_lane(lane));
    if (share_of_lane(lane) == 0u && wanted < OCTETS) {
      octet_limbs[octet % 4u * BLOCKS + octet / 4u] =
        vec4<u32>(words.high_even, words.high_odd, words.low_even, words.low_odd);
      if (octet % 2u == 0u) {
        group_scales[octet % 4u / 2u * BLOCKS + octet / 4u] = bitcast<f32>(words.rest);
      }
    }
  }
  workgroupBarrier();
}

fn read_input(block: u32) -> Input {
  let a = octet_limbs[block];
  let b = octet_limbs[BLOCKS + block];
  let c = octet_limbs[2u * BLOCKS + block];
  let d = octet_limbs[3u * BLOCKS + block];
  return Input(
    vec4<u32>(a.x, b.x, c.x, d.x),
    vec4<u32>(a.y, b.y, c.y, d.y),
    vec4<u32>(a.z, b.z, c.z, d.z),
    vec4<u32>(a.w, b.w, c.w, d.w),
    vec2<f32>(group_scales[block], group_scales[BLOCKS + block]),
    0.0,
  );
}
