// linear_q4gsw for one row of x. A workgroup owns OUTPUTS outputs at a time and strides over the grid;
// its lanes stride over K (dot-blocks.wgsl or dot-words.wgsl), then add up: within subgroups of
// whatever size, then over them.
enable subgroups;

override WORKGROUP_SIZE: u32 = 64u;

const SMALLEST_SUBGROUP: u32 = 4u;

var<workgroup> subgroup_sums: array<f32, WORKGROUP_SIZE / SMALLEST_SUBGROUP * OUTPUTS>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  for (
    var first_output = workgroup_id.x * OUTPUTS;
    first_output < params.N;
    first_output += num_workgroups.x * OUTPUTS
  ) {
    let partial = partial_dots(first_output, lane, WORKGROUP_SIZE);
    for (var r = 0u; r < OUTPUTS; r++) {
      let sum = subgroupAdd(partial[r]);
      if (subgroup_lane == 0u) {
        subgroup_sums[subgroup * OUTPUTS + r] = sum;
      }
    }
    workgroupBarrier();
    if (lane < OUTPUTS && first_output + lane < params.N) {
      var sum = 0.0;
      for (var i = 0u; i < subgroups; i++) {
        sum += subgroup_sums[i * OUTPUTS + lane];
      }
      write_output(0u, first_output + lane, sum);
    }
    // The next outputs overwrite the sums.
    workgroupBarrier();
  }
}
