// linear_q4gsw for any K and group size. A lane owns four rows of one column and runs through K nibble
// by nibble. With operands.wgsl.

override WORKGROUP_SIZE: u32 = 64u;

const GROUP_SIZE: u32 = 32u; // @param

@group(0) @binding(4) var<storage, read> x: array<f32>; // [M, K]
@group(0) @binding(5) var<storage, read> weight: array<u32>; // [N, pad8(K) / 8]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let workgroup = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let at = workgroup * WORKGROUP_SIZE + lane;
  let n = at % params.N;
  let first_m = 4u * (at / params.N);
  if (first_m >= params.M) {
    return;
  }
  let last_m = params.M - 1u;
  // Past the last row the last one is computed again and not written.
  let rows = min(vec4<u32>(first_m) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last_m)) * params.K;
  let words = (params.K + 7u) / 8u;
  let groups = params.K / GROUP_SIZE;
  var sums = vec4<f32>();
  for (var group = 0u; group < groups; group++) {
    var group_sums = vec4<f32>();
    for (var k = group * GROUP_SIZE; k < (group + 1u) * GROUP_SIZE; k++) {
      let nibble = (weight[n * words + k / 8u] >> (4u * (k % 8u))) & 15u;
      let values = vec4<f32>(x[rows.x + k], x[rows.y + k], x[rows.z + k], x[rows.w + k]);
      group_sums += values * (f32(nibble) - 8.0);
    }
    sums += group_sums * read_scale(n * groups + group);
  }
  for (var r = 0u; r < 4u && first_m + r < params.M; r++) {
    write_output(first_m + r, n, sums[r]);
  }
}
