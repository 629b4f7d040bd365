// Attention's row as limbs for input-limbs.wgsl, where there are so many splits that the workgroups of a
// projection had better not join them each for itself. With attention-partials.wgsl,
// shared/limb-words.wgsl and shared/store-limbs.wgsl.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 128u;

struct Params {
  splits: u32,
}

@group(0) @binding(4) var<uniform> params: Params;

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
  for (
    var start = workgroup_id.x * (WORKGROUP_SIZE / SHARE);
    start < OCTETS;
    start += num_workgroups.x * (WORKGROUP_SIZE / SHARE)
  ) {
    // Past the end the last octet is computed again and not kept.
    let wanted = octet_of_lane(start, lane);
    let octet = min(wanted, OCTETS - 1u);
    let words = octet_words(octet, share_of_lane(lane));
    if (share_of_lane(lane) == 0u && wanted < OCTETS) {
      store_limb_words(words, octet, OCTETS);
    }
  }
}
