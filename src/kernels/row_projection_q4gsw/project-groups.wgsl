// Projections of one row of x by 4-bit matrices whose outputs go on as limbs: a workgroup computes
// one or two groups of 16 neighbouring outputs that share a limb scale. TEAM lanes take ROWS outputs: they
// stride over K in blocks of 32 weights, and their sums are added up within subgroups of whatever size,
// then over them. Which matrices there are and what an output is say group-add.wgsl or group-swiglu.wgsl;
// what x looks like, input-limbs.wgsl or input-partials.wgsl. With q4-steps.wgsl, shared/limb-words.wgsl and
// shared/store-limbs.wgsl.
enable subgroups;
requires subgroup_id;
// Whole subgroups take the same way.
diagnostic(off, subgroup_uniformity);

const TEAM: u32 = 32u; // @param a multiple of every subgroup size
const OUTPUTS: u32 = 32u; // @param 16 | 32 outputs of a workgroup
const ROWS: u32 = 2u; // @param outputs of a team: divides OUTPUTS
const SMALLEST_SUBGROUP: u32 = 4u; // @param
const NORM: bool = false; // @param x still lacks rms_norm's factor
const NORM_NEXT: bool = false; // @param limbs are of the next rms_norm of the outputs, less its factor
const STRIDES: bool = false; // @param workgroups are fewer than it takes, and stride over outputs

const WORKGROUP_SIZE: u32 = TEAM * OUTPUTS / ROWS;
// Lanes that write them, eight each.
const WRITERS: u32 = OUTPUTS / 8u;
const SUMS: u32 = ROWS * MATRICES;
// One more than the products: the squares of x.
const ALL_SUMS: u32 = SUMS + select(0u, 1u, NORM);

@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> subgroup_sums: array<f32, WORKGROUP_SIZE / SMALLEST_SUBGROUP * ALL_SUMS>;
var<workgroup> outputs: array<f32, OUTPUTS>;
var<workgroup> next_weights: array<f32, OUTPUTS>;

struct Weights {
  first: array<vec4<u32>, SUMS>, // of each row, the step's first block
  second: array<vec4<u32>, SUMS>,
  scales: array<vec2<f32>, SUMS>,
}

// Not a constant: a driver would unroll the loop over blocks, which was slower.
fn block_count() -> u32 {
  return params.blocks;
}

fn partial_dots(first_row: u32, team_lane: u32) -> array<f32, ALL_SUMS> {
  // Written out: called in a loop, and compilers differ in when they clear what is not.
  var sums = array<f32, ALL_SUMS>();
  for (var block = STEP * team_lane; block < block_count(); block += STEP * TEAM) {
    // All loads come before the first use: many in flight hide their latency.
    let weights = read_weights(first_row, block);
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

fn add_subgroups(r: u32, first_subgroup: u32, subgroups: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < subgroups; i++) {
    sum += subgroup_sums[(first_subgroup + i) * ALL_SUMS + r];
  }
  return sum;
}

// The product of x and matrix `matrix`'s row for output `output` of the workgroup's.
fn product(output: u32, matrix: u32, subgroups: u32) -> f32 {
  let first = output / ROWS * subgroups;
  let sum = add_subgroups(matrix * ROWS + output % ROWS, first, subgroups);
  if (NORM) {
    let mean = add_subgroups(ALL_SUMS - 1u, first, subgroups) / f32(block_count() * 32u);
    return sum * inverseSqrt(mean + params.epsilon);
  }
  return sum;
}

fn octet_of(octet: u32, weighted: bool) -> array<vec4<f32>, 2> {
  var values: array<f32, 8>;
  for (var i = 0u; i < 8u; i++) { // @unroll
    values[i] = outputs[8u * octet + i];
    if (weighted) {
      values[i] *= next_weights[8u * octet + i];
    }
  }
  return array<vec4<f32>, 2>(
    vec4<f32>(values[0], values[1], values[2], values[3]),
    vec4<f32>(values[4], values[5], values[6], values[7]),
  );
}

// Called by whole subgroups, of which the first lanes write.
fn write_limbs(first_output: u32, lane: u32) {
  let octet = lane % WRITERS;
  let plain = octet_of(octet, false);
  let squares = group_squares(plain[0], plain[1]);
  let values = octet_of(octet, NORM_NEXT);
  let words = limb_words(values[0], values[1], squares, octet);
  if (lane < WRITERS) {
    store_limb_words(words, first_output / 8u + lane, params.N / 8u);
  }
}

// Outputs from `first_output` on. Call in uniform control flow.
fn project_outputs(
  first_output: u32,
  before: Before,
  lane: u32,
  subgroup_id: u32,
  subgroup_size: u32,
  subgroup_lane: u32,
) {
  let partial = partial_dots(first_output + lane / TEAM * ROWS, lane % TEAM);
  for (var r = 0u; r < ALL_SUMS; r++) { // @unroll
    let sum = subgroupAdd(partial[r]);
    if (subgroup_lane == 0u) {
      subgroup_sums[subgroup_id * ALL_SUMS + r] = sum;
    }
  }
  workgroupBarrier();
  if (lane < OUTPUTS) {
    finish_output(before, first_output + lane, lane, TEAM / subgroup_size);
  }
  workgroupBarrier();
  if (subgroup_id == 0u) {
    write_limbs(first_output, lane);
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
  let lane = subgroup_id * subgroup_size + subgroup_lane;
  var first_output = workgroup_id.x * OUTPUTS;
  // What does not depend on the sums is loaded before them, and before x takes its time.
  var before = read_before(first_output + lane % OUTPUTS);
  prepare_input(lane);
  loop {
    project_outputs(first_output, before, lane, subgroup_id, subgroup_size, subgroup_lane);
    if (!STRIDES) {
      break;
    }
    first_output += num_workgroups.x * OUTPUTS;
    if (first_output >= params.N) {
      break;
    }
    before = read_before(first_output + lane % OUTPUTS);
  }
}
