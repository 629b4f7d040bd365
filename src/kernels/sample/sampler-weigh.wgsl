// Sampler, step 10: the weight of every token that all filters keep, in place of its key, 0 for the
// others; and the sum of each chunk. One workgroup a chunk. With sampler-select.wgsl and its helpers.

struct Params {
  vocabulary_size: u32,
  chunk: u32,
  bests: u32,
}

@group(0) @binding(4) var<storage, read_write> keys: array<u32>; // [V] → weights
@group(0) @binding(5) var<storage, read_write> sums: array<vec2<u32>>; // [groups]
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  if (!samples()) {
    return;
  }
  let group = workgroup_id.x;
  var least = 0u;
  if (uses_top_k(params.vocabulary_size)) {
    if (uses_top_p()) {
      least = selection[TOP_P_STAGE].x;
    } else {
      least = resolve(TOP_P_STAGE - 1u, params.vocabulary_size, lane).x;
    }
  }
  if (uses_top_p()) {
    let known = resolve(TOP_P_STAGE + DIGITS - 1u, params.vocabulary_size, lane);
    if (group == 0u && lane == 0u) {
      selection[TOP_P_STAGE + DIGITS] = known;
    }
    least = max(least, known.x);
  }
  let highest = highest_key(params.bests, lane);
  let min_p = bitcast<f32>(sampling[MIN_P]);
  let end = min((group + 1u) * params.chunk, params.vocabulary_size);
  var sum = vec2<u32>();
  for (var i = group * params.chunk + lane; i < end; i += WORKGROUP_SIZE) {
    let key = keys[i];
    let probability = relative_probability(key, highest);
    let kept = key >= least && (probability >= min_p || key >= highest);
    let weight = select(0u, probability_weight(probability), kept);
    keys[i] = weight;
    sum = wide_add(sum, vec2(weight, 0u));
  }
  // resolve() has left its bins behind, and a workgroup may have fewer lanes than there are bins.
  workgroupBarrier();
  for (var bin = lane; bin < BINS; bin += WORKGROUP_SIZE) {
    bins[bin] = vec2<u32>();
  }
  workgroupBarrier();
  bins[lane] = sum;
  let total = sum_bins(lane);
  if (lane == 0u) {
    sums[group] = total;
  }
}
