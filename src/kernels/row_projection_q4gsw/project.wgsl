// Projections of one row of x by 4-bit matrices. A workgroup computes SUMS dot products an item, and
// with STRIDES of several items; its lanes stride over K in blocks of 32 weights, then add up: within subgroups of
// whatever size, then over them. What an item is, which rows it takes and where its sums go is said by
// linear.wgsl, swiglu.wgsl or qkv.wgsl and their like, what x looks like by input-f32.wgsl or
// input-limbs.wgsl. With q4-steps.wgsl.
enable subgroups;

override WORKGROUP_SIZE: u32 = 64u;

const SMALLEST_SUBGROUP: u32 = 4u;

const NORM: bool = false; // @param x still lacks rms_norm's factor
const STRIDES: bool = false; // @param workgroups are fewer than items, and stride over them

// One more than the products: the squares of x.
const ALL_SUMS: u32 = SUMS + select(0u, 1u, NORM);

var<workgroup> subgroup_sums: array<f32, WORKGROUP_SIZE / SMALLEST_SUBGROUP * ALL_SUMS>;

fn block_count() -> u32 {
  return params.K / 32u;
}

fn partial_dots(item: u32, lane: u32) -> array<f32, ALL_SUMS> {
  let blocks = block_count();
  // Written out: called in a loop, and compilers differ in when they clear what is not.
  var sums = array<f32, ALL_SUMS>();
  for (var block = STEP * lane; block < blocks; block += STEP * WORKGROUP_SIZE) {
    // All loads come before the first use: many in flight hide their latency.
    let weights = read_weights(item, block);
    let inputs = read_inputs(block);
    for (var r = 0u; r < SUMS; r++) { // @unroll
      sums[r] += dot_step(weights.first[r], weights.second[r], weights.scales[r], inputs);
    }
    if (NORM) {
      sums[ALL_SUMS - 1u] += squares_of_step(inputs);
    }
  }
  return sums;
}

fn add_subgroups(r: u32, subgroups: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < subgroups; i++) {
    sum += subgroup_sums[i * ALL_SUMS + r];
  }
  return sum;
}

// The item's dot product r.
fn total(r: u32, subgroups: u32) -> f32 {
  let sum = add_subgroups(r, subgroups);
  if (NORM) {
    let mean = add_subgroups(ALL_SUMS - 1u, subgroups) / f32(params.K);
    return sum * inverseSqrt(mean + params.epsilon);
  }
  return sum;
}

// Call in uniform control flow.
fn compute_item(item: u32, lane: u32, subgroup: u32, subgroups: u32, subgroup_lane: u32) {
  // What does not depend on the sums is loaded before them, what depends on that beside them.
  let early = read_early(item);
  let partial = partial_dots(item, lane);
  let before = read_before(early, item);
  for (var r = 0u; r < ALL_SUMS; r++) { // @unroll
    let sum = subgroupAdd(partial[r]);
    if (subgroup_lane == 0u) {
      subgroup_sums[subgroup * ALL_SUMS + r] = sum;
    }
  }
  workgroupBarrier();
  if (lane < OUTPUTS) {
    write_output(before, item, lane, subgroups);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
) {
  compute_item(workgroup_id.x, lane, subgroup, subgroups, subgroup_lane);
  if (STRIDES) {
    let stride = num_workgroups.x;
    for (var item = workgroup_id.x + stride; item < item_count(); item += stride) {
      // The sums of the item before are overwritten.
      workgroupBarrier();
      compute_item(item, lane, subgroup, subgroups, subgroup_lane);
    }
  }
  finish_items(workgroup_id.x, num_workgroups.x, lane);
}
