// Attention's row as limbs for input-limbs.wgsl, where there are so many splits that the workgroups of a
// projection had better not join them each for itself. SHARE lanes have an octet in common: each joins
// some of its splits, then all of theirs. With attention-partials.wgsl, shared/limb-words.wgsl and
// shared/store-limbs.wgsl.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 128u;

const SHARE: u32 = 2u; // @param a power of two, half the smallest subgroup at most

// Lanes of two octets, which share a scale: neighbours have one each.
const RUN: u32 = 2u * SHARE;

struct Params {
  splits: u32,
}

@group(0) @binding(4) var<uniform> params: Params;

// The part of a lane and of that whose number differs in `mask`.
fn joined_across(part: Part, mask: u32) -> Part {
  let other = Part(
    subgroupShuffleXor(part.maximum, mask),
    subgroupShuffleXor(part.sum, mask),
    subgroupShuffleXor(part.out, mask),
  );
  return joined(part, other);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  // Numbered by subgroup, so that a run lies within one.
  let lane = subgroup_id * subgroup_size + subgroup_lane;
  let share = lane % RUN / 2u;
  for (
    var start = workgroup_id.x * (WORKGROUP_SIZE / SHARE);
    start < OCTETS;
    start += num_workgroups.x * (WORKGROUP_SIZE / SHARE)
  ) {
    let wanted = start + lane / RUN * 2u + lane % 2u;
    // Past the end the last octet is computed again and not kept.
    let octet = min(wanted, OCTETS - 1u);
    var first = part_of(2u * octet, share);
    var second = part_of(2u * octet + 1u, share);
    for (var split = share + SHARE; split < params.splits; split += SHARE) {
      first = joined(first, part_of(2u * octet, split));
      second = joined(second, part_of(2u * octet + 1u, split));
    }
    for (var mask = 2u; mask < RUN; mask *= 2u) {
      first = joined_across(first, mask);
      second = joined_across(second, mask);
    }
    // Without squares, as no norm comes between.
    let words = limb_words(first.out / first.sum, second.out / second.sum, 0.0, octet);
    if (share == 0u && wanted < OCTETS) {
      store_limb_words(words, octet, OCTETS);
    }
  }
}
