// Writes a row as limbs for input-limbs.wgsl. With NORM it is the first half of rms_norm:
// x[c] · weight[c], and beside each group's scale the sum of x², from which the projection finds
// 1 / √(mean of x² + epsilon) without waiting for anyone. Eight values a lane. With shared/limb-words.wgsl
// and shared/store-limbs.wgsl.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 128u;

const NORM: bool = true; // @param

struct Params {
  width: u32,
}

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [width / 4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [width / 4]; x without NORM
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_id * subgroup_size + subgroup_lane;
  let octets = params.width / 8u;
  for (
    var start = workgroup_id.x * WORKGROUP_SIZE;
    start < octets;
    start += num_workgroups.x * WORKGROUP_SIZE
  ) {
    // Past the end the last octets are computed again and not written.
    let octet = min(start + lane, octets - 1u);
    var first = x[2u * octet];
    var second = x[2u * octet + 1u];
    let squares = group_squares(first, second);
    if (NORM) {
      first *= weight[2u * octet];
      second *= weight[2u * octet + 1u];
    }
    let words = limb_words(first, second, squares, octet);
    if (start + lane < octets) {
      store_limb_words(words, octet, octets);
    }
  }
}
