// sdpa-split.wgsl with teams that add up through workgroup memory, for devices without subgroups.

override WORKGROUP_SIZE: u32 = 64u;

var<workgroup> addends: array<f32, SCORES * WORKGROUP_SIZE>;
var<workgroup> sums: array<f32, SCORES * WORKGROUP_SIZE / TEAM>;

// Replaces every value by its sum over the team. Call in uniform control flow.
fn team_sums(values: ptr<function, array<f32, SCORES>>, lane: u32) {
  for (var i = 0u; i < SCORES; i++) { // @unroll
    addends[i * WORKGROUP_SIZE + lane] = (*values)[i];
  }
  workgroupBarrier();
  for (var o = lane; o < SCORES * TEAMS; o += WORKGROUP_SIZE) {
    var sum = 0.0;
    for (var t = 0u; t < TEAM; t++) {
      sum += addends[o * TEAM + t];
    }
    sums[o] = sum;
  }
  // Also keeps the next call from overwriting addends that are still being read; the barrier above
  // does the same for the sums.
  workgroupBarrier();
  for (var i = 0u; i < SCORES; i++) { // @unroll
    (*values)[i] = sums[i * TEAMS + lane / TEAM];
  }
}

// UNIT is TEAM: there is nothing to join.
fn join_unit(state: ptr<function, Running>) {
  for (var h = 0u; h < HEADS; h++) { // @unroll
    rescale_head(state, h, (*state).maximum[h]);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  attend_split(workgroup_id.x + workgroup_id.y * num_workgroups.x, lane);
}
