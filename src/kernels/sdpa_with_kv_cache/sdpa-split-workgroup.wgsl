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

// Every lane has all of its team's scores: SCORE_SHARES is 1.
fn first_owned(lane: u32) -> u32 {
  return 0u;
}

fn tell_team(owned: ptr<function, array<f32, OWNED>>, all: ptr<function, array<f32, SCORES>>) {
  *all = *owned;
}

fn in_any_team(condition: bool) -> bool {
  return condition;
}

// UNIT is TEAM: only positions are to be joined.
fn join_unit(state: ptr<function, Running>, lane: u32) {
  rescale(state, 0u);
  add_positions(state);
}

fn first_kept(lane: u32) -> u32 {
  return 0u;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  attend_split(workgroup_id.x + workgroup_id.y * num_workgroups.x, lane);
}
