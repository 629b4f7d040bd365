// sdpa-split.wgsl with teams that exchange registers. UNIT is at most the smallest subgroup size
// and the workgroup is made of whole subgroups.
enable subgroups;
requires subgroup_id;
// Whole subgroups take the same way.
diagnostic(off, subgroup_uniformity);

override WORKGROUP_SIZE: u32 = 64u;

// Of its subgroup: the lane at which its team begins.
var<private> first_of_team: u32;

// Sums over the team: of them a lane gets OWNED, from first_owned on, as the first values. Two lanes that
// add up many values need only exchange half of them each, and each has the sums of one half.
fn team_sums(values: ptr<function, array<f32, SCORES>>, lane: u32) {
  for (var mask = 1u; mask < TEAM; mask *= 2u) { // @unroll
    if (mask < SCORE_SHARES) {
      let upper = (lane & mask) != 0u;
      for (var i = 0u; i < SCORES / (2u * mask); i++) { // @unroll
        let low = (*values)[i];
        let high = (*values)[i + SCORES / (2u * mask)];
        (*values)[i] = select(low, high, upper) + subgroupShuffleXor(select(high, low, upper), mask);
      }
    } else {
      for (var i = 0u; i < OWNED; i++) { // @unroll
        (*values)[i] += subgroupShuffleXor((*values)[i], mask);
      }
    }
  }
}

fn first_owned(lane: u32) -> u32 {
  var first = 0u;
  for (var mask = 1u; mask < SCORE_SHARES; mask *= 2u) { // @unroll
    first += select(0u, SCORES / (2u * mask), (lane & mask) != 0u);
  }
  return first;
}

// What each lane has for the scores that it owns, for all lanes of the team.
fn tell_team(owned: ptr<function, array<f32, OWNED>>, all: ptr<function, array<f32, SCORES>>) {
  for (var score = 0u; score < SCORES; score++) { // @unroll
    var owner = first_of_team;
    for (var mask = 1u; mask < SCORE_SHARES; mask *= 2u) { // @unroll
      owner += score / (SCORES / (2u * mask)) % 2u * mask;
    }
    (*all)[score] = (*owned)[score % OWNED];
    if (SCORE_SHARES > 1u) {
      (*all)[score] = subgroupShuffle((*all)[score], owner);
    }
  }
}

fn in_any_team(condition: bool) -> bool {
  return subgroupAny(condition);
}

// Joins the teams of a unit, and for each head the positions: afterwards all have the same sums, relative
// to the maximum. Of the output a team gets KEPT quads, from first_kept on.
fn join_unit(state: ptr<function, Running>, lane: u32) {
  for (var mask = TEAM; mask < UNIT; mask *= 2u) { // @unroll
    for (var i = 0u; i < OWNED; i++) { // @unroll
      (*state).maximum[i] = max((*state).maximum[i], subgroupShuffleXor((*state).maximum[i], mask));
    }
  }
  rescale(state, first_owned(lane));
  add_positions(state);
  for (var i = 0u; i < OWNED_HEADS; i++) { // @unroll
    for (var mask = 1u; mask < POSITION_SHARES; mask *= 2u) { // @unroll
      (*state).sum[i] += subgroupShuffleXor((*state).sum[i], mask);
    }
    for (var mask = TEAM; mask < UNIT; mask *= 2u) { // @unroll
      (*state).sum[i] += subgroupShuffleXor((*state).sum[i], mask);
    }
  }
  for (var mask = TEAM; mask < UNIT; mask *= 2u) { // @unroll
    if (mask < TEAM * UNIT_SHARES) {
      let upper = (lane & mask) != 0u;
      for (var i = 0u; i < ITEMS / (2u * (mask / TEAM)); i++) { // @unroll
        let low = (*state).out[i];
        let high = (*state).out[i + ITEMS / (2u * (mask / TEAM))];
        (*state).out[i] =
          select(low, high, upper) + subgroupShuffleXor(select(high, low, upper), mask);
      }
    } else {
      for (var i = 0u; i < KEPT; i++) { // @unroll
        (*state).out[i] += subgroupShuffleXor((*state).out[i], mask);
      }
    }
  }
}

fn first_kept(lane: u32) -> u32 {
  var first = 0u;
  for (var share = 1u; share < UNIT_SHARES; share *= 2u) { // @unroll
    first += select(0u, ITEMS / (2u * share), (lane & (share * TEAM)) != 0u);
  }
  return first;
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
  first_of_team = subgroup_lane - subgroup_lane % TEAM;
  attend_split(workgroup_id.x + workgroup_id.y * num_workgroups.x, lane);
}
