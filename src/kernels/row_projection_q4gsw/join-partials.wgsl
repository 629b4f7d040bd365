// Attention's row as limbs for input-limbs.wgsl, where there are so many splits that the workgroups of a
// projection had better not join them each for itself. SHARE lanes have an octet in common: each joins
// some of its splits, then all of theirs. With attention-partials.wgsl, shared/limb-words.wgsl and
// shared/store-limbs.wgsl.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 128u;

const SHARE: u32 = 2u; // @param a power of two, half the smallest subgroup at most

// Splits that a lane joins at a time, after its first.
const MORE: u32 = 2u;

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
    subgroupShuffleXor(part.first, mask),
    subgroupShuffleXor(part.second, mask),
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
    var all = part_of(octet, share);
    for (var split = share + SHARE; split < params.splits; split += MORE * SHARE) {
      // All loads come before the first use: many in flight hide their latency.
      var more: array<Part, MORE>;
      for (var i = 0u; i < MORE; i++) { // @unroll
        more[i] = part_of(octet, split + i * SHARE);
      }
      for (var i = 0u; i < MORE; i++) { // @unroll
        all = joined(all, more[i]);
      }
    }
    for (var mask = 2u; mask < RUN; mask *= 2u) { // @unroll
      all = joined_across(all, mask);
    }
    let words = part_words(all, octet);
    if (share == 0u && wanted < OCTETS) {
      store_limb_words(words, octet, OCTETS);
    }
  }
}
