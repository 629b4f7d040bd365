// sdpa-split.wgsl with teams that exchange registers. UNIT is at most the smallest subgroup size
// and the workgroup is made of whole subgroups.
enable subgroups;
requires subgroup_id;

override WORKGROUP_SIZE: u32 = 64u;

// Replaces every value by its sum over the team.
fn team_sums(values: ptr<function, array<f32, SCORES>>, lane: u32) {
  for (var mask = 1u; mask < TEAM; mask *= 2u) { // @unroll
    for (var i = 0u; i < SCORES; i++) { // @unroll
      (*values)[i] += subgroupShuffleXor((*values)[i], mask);
    }
  }
}

// Joins the teams of a unit: afterwards each has the same, relative to the maximum.
fn join_unit(state: ptr<function, Running>) {
  for (var h = 0u; h < HEADS; h++) { // @unroll
    var maximum = (*state).maximum[h];
    for (var mask = TEAM; mask < UNIT; mask *= 2u) { // @unroll
      maximum = max(maximum, subgroupShuffleXor(maximum, mask));
    }
    rescale_head(state, h, maximum);
  }
  for (var mask = TEAM; mask < UNIT; mask *= 2u) { // @unroll
    for (var h = 0u; h < HEADS; h++) { // @unroll
      (*state).sum[h] += subgroupShuffleXor((*state).sum[h], mask);
      for (var j = 0u; j < QUADS; j++) { // @unroll
        (*state).out[h * QUADS + j] += subgroupShuffleXor((*state).out[h * QUADS + j], mask);
      }
    }
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_size) subgroup_size: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  // Numbered by subgroup, so that a team lies within one.
  let lane = subgroup_id * subgroup_size + subgroup_lane;
  attend_split(workgroup_id.x + workgroup_id.y * num_workgroups.x, lane);
}
