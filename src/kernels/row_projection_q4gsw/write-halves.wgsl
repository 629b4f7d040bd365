// Writes a row in half precision for input-halves.wgsl: a group of 32 values divided by its largest
// magnitude, so that no sum of products overflows, and that magnitude beside it. With NORM it is the
// first half of rms_norm: x[c] · weight[c], and in each group's last words the sum of x², from which the
// projection finds 1 / √(mean of x² + epsilon) without waiting for anyone.
//
// A lane takes the eight values of a weight word, four neighbouring lanes a group.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 64u;

const NORM: bool = true; // @param

// A group of smaller values counts as zeros: the inverse of its largest would be no number.
const SMALLEST: f32 = 1e-30;

struct Params {
  width: u32,
}

@group(0) @binding(0) var<storage, read_write> halves: array<vec4<u32>>; // [width / 32, 5]
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [width / 4]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [width / 4]; x without NORM
@group(0) @binding(3) var<uniform> params: Params;

fn group_max(value: f32) -> f32 {
  let pair = max(value, subgroupShuffleXor(value, 1u));
  return max(pair, subgroupShuffleXor(pair, 2u));
}

fn group_sum(value: f32) -> f32 {
  let pair = value + subgroupShuffleXor(value, 1u);
  return pair + subgroupShuffleXor(pair, 2u);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  // Numbered by subgroup, so that the lanes of a group are neighbours in one.
  let lane = subgroup_id * subgroup_size + subgroup_lane;
  let octets = params.width / 8u;
  for (
    var base = workgroup_id.x * WORKGROUP_SIZE;
    base < octets;
    base += num_workgroups.x * WORKGROUP_SIZE
  ) {
    // All lanes take part in the exchange; those past the end write nothing.
    let octet = min(base + lane, octets - 1u);
    var first = x[2u * octet];
    var second = x[2u * octet + 1u];
    let squares = group_sum(dot(first, first) + dot(second, second));
    if (NORM) {
      first *= weight[2u * octet];
      second *= weight[2u * octet + 1u];
    }
    let largest_of = max(abs(first), abs(second));
    let largest = group_max(max(max(largest_of.x, largest_of.y), max(largest_of.z, largest_of.w)));
    let inverse = select(0.0, 1.0 / max(largest, SMALLEST), largest > SMALLEST);
    first *= inverse;
    second *= inverse;
    if (base + lane < octets) {
      let group = octet / 4u;
      // As the nibbles of a word are masked: the values 0 and 4, 1 and 5, 2 and 6, 3 and 7.
      halves[group * 5u + octet % 4u] = vec4<u32>(
        pack2x16float(vec2<f32>(first.x, second.x)),
        pack2x16float(vec2<f32>(first.y, second.y)),
        pack2x16float(vec2<f32>(first.z, second.z)),
        pack2x16float(vec2<f32>(first.w, second.w)),
      );
      if (octet % 4u == 0u) {
        halves[group * 5u + 4u] =
          vec4<u32>(bitcast<u32>(largest), bitcast<u32>(squares), 0u, 0u);
      }
    }
  }
}
