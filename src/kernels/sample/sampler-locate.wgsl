// Search in cumulative sums of 256 wide integers by a workgroup of any size.
// With shared/invocation-index.wgsl and wide-integer.wgsl.

const BINS: u32 = 256u;
const BINS_PER_GROUP: u32 = 16u;
const BIN_GROUPS: u32 = 16u;

var<workgroup> bins: array<vec2<u32>, BINS>;
var<workgroup> bin_group_sums: array<vec2<u32>, BIN_GROUPS>;
var<workgroup> bin_total: vec2<u32>;
var<workgroup> bin_found: vec3<u32>;

// The sum of all bins, once all lanes have filled them. Call in uniform control flow.
fn sum_bins(lane: u32) -> vec2<u32> {
  workgroupBarrier();
  // A loop: a workgroup may have fewer lanes than there are groups.
  for (var group = lane; group < BIN_GROUPS; group += WORKGROUP_SIZE) {
    var sum = vec2<u32>();
    for (var i = 0u; i < BINS_PER_GROUP; i++) {
      sum = wide_add(sum, bins[group * BINS_PER_GROUP + i]);
    }
    bin_group_sums[group] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var sum = vec2<u32>();
    for (var group = 0u; group < BIN_GROUPS; group++) {
      sum = wide_add(sum, bin_group_sums[group]);
    }
    bin_total = sum;
  }
  return workgroupUniformLoad(&bin_total);
}

struct Located {
  // The first bin whose cumulative sum reaches the goal.
  bin: u32,
  // The goal less all bins before it: at least 1 where the goal was.
  rest: vec2<u32>,
}

// Finds `goal`, at most the total, after sum_bins(). Call in uniform control flow; lane 0's goal
// counts.
fn locate(goal: vec2<u32>, lane: u32) -> Located {
  if (lane == 0u) {
    var rest = goal;
    var group = 0u;
    while (group < BIN_GROUPS - 1u && wide_less(bin_group_sums[group], rest)) {
      rest = wide_subtract(rest, bin_group_sums[group]);
      group++;
    }
    var bin = group * BINS_PER_GROUP;
    let last = bin + BINS_PER_GROUP - 1u;
    while (bin < last && wide_less(bins[bin], rest)) {
      rest = wide_subtract(rest, bins[bin]);
      bin++;
    }
    bin_found = vec3(bin, rest);
  }
  let found = workgroupUniformLoad(&bin_found);
  return Located(found.x, found.yz);
}
