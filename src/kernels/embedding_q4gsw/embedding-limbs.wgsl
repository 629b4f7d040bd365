// embedding_q4gsw of one token, and the row as limbs, for a decoder's first projection:
// out[d] = (nibble[r, d] − 8) · scale[r, d / group] where r = indices[0] − first_row. With NORM_NEXT the
// limbs are of out[d] · next_norm[d]: rms_norm but for its factor, which the projection finds from the
// squares beside them.
//
// A lane owns eight values. A row outside this shard is left to the shard that holds it. With
// q4-scales.wgsl, limb-words.wgsl and store-limbs.wgsl of shared/.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 128u;

const GROUP_SIZE: u32 = 32u; // @param a multiple of 8
const NIBBLE_ORDER: u32 = 0u; // @param 1 where even d lie in the high nibbles
const NORM_NEXT: bool = true; // @param

struct Params {
  embedding_size: u32, // E, a multiple of 32
  vocabulary_size: u32, // V, rows of this shard
  first_row: u32, // index of the shard's first row
}

@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>; // [E / 4]
@group(0) @binding(2) var<storage, read> indices: array<i32>; // [1]
@group(0) @binding(3) var<storage, read> weight: array<u32>; // [V, E / 8]
@group(0) @binding(4) var<storage, read> scales: array<u32>; // [V, E / group], f32 or packed f16
@group(0) @binding(5) var<storage, read> next_norm: array<vec4<f32>>; // [E / 4]; weight without NORM_NEXT
@group(0) @binding(6) var<uniform> params: Params;

// The even nibble's place comes first, whichever that is.
const EVEN: u32 = 4u * NIBBLE_ORDER;
const ODD: u32 = 4u - EVEN;

// Four weights from the low half of a word.
fn four_weights(half: u32) -> vec4<f32> {
  let nibbles = vec4<u32>(half) >> vec4<u32>(EVEN, ODD, 8u + EVEN, 8u + ODD);
  return vec4<f32>(nibbles & vec4<u32>(15u)) - 8.0;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let lane = subgroup_id * subgroup_size + subgroup_lane;
  let octets = params.embedding_size / 8u;
  // An index below the shard wraps around to far above it, a negative one too. All lanes stay together:
  // another row is computed in its place and not written.
  let wanted = bitcast<u32>(indices[0]) - params.first_row;
  let row = min(wanted, params.vocabulary_size - 1u);
  for (
    var start = workgroup_id.x * WORKGROUP_SIZE;
    start < octets;
    start += num_workgroups.x * WORKGROUP_SIZE
  ) {
    // Past the end the last octets are computed again and not written.
    let octet = min(start + lane, octets - 1u);
    let word = weight[row * octets + octet];
    let groups = params.embedding_size / GROUP_SIZE;
    let scale = read_scale(row * groups + octet * 8u / GROUP_SIZE);
    let first = four_weights(word) * scale;
    let second = four_weights(word >> 16u) * scale;
    let squares = group_squares(first, second);
    var next_first = first;
    var next_second = second;
    if (NORM_NEXT) {
      next_first *= next_norm[2u * octet];
      next_second *= next_norm[2u * octet + 1u];
    }
    let words = limb_words(next_first, next_second, squares, octet);
    if (wanted == row && start + lane < octets) {
      out[2u * octet] = first;
      out[2u * octet + 1u] = second;
      store_limb_words(words, octet, octets);
    }
  }
}
