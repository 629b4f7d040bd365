// Sampler, steps 2 to 9: one stage of threshold selection, the histogram of one digit. One workgroup
// a chunk; each finds the digit before from that stage's histogram, workgroup 0 notes it. A stage of
// a filter that is off returns at once, if it is run at all. With sampler-select.wgsl and its helpers.

struct Params {
  vocabulary_size: u32,
  chunk: u32,
  bests: u32,
  stage: u32,
}

@group(0) @binding(4) var<storage, read> keys: array<u32>; // [V]
@group(0) @binding(5) var<uniform> params: Params;

var<workgroup> digit_low: array<atomic<u32>, BINS>;
var<workgroup> digit_high: array<atomic<u32>, BINS>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_id.x;
  let stage = params.stage;
  let notes = group == 0u && lane == 0u;
  let is_top_p = stage >= TOP_P_STAGE;
  let digit = stage % DIGITS;
  if (is_top_p) {
    if (!uses_top_p()) {
      return;
    }
  } else if (!uses_top_k(params.vocabulary_size)) {
    return;
  }
  // Keys below count for nothing: what top-k left out, for top-p.
  var least = 0u;
  if (is_top_p && uses_top_k(params.vocabulary_size)) {
    if (stage == TOP_P_STAGE) {
      let known = resolve(TOP_P_STAGE - 1u, params.vocabulary_size, lane);
      if (notes) {
        selection[TOP_P_STAGE] = known;
      }
      least = known.x;
    } else {
      least = selection[TOP_P_STAGE].x;
    }
  }
  var prefix = 0u;
  var highest = 0u;
  if (digit > 0u) {
    let known = resolve(stage - 1u, params.vocabulary_size, lane);
    if (notes) {
      selection[stage] = known;
    }
    prefix = known.x;
  }
  if (is_top_p) {
    highest = highest_key(params.bests, lane);
  }
  let shift = 8u * (DIGITS - 1u - digit);
  let prefix_mask = select(0u, 0xffffffffu << (shift + 8u), digit > 0u);
  let end = min((group + 1u) * params.chunk, params.vocabulary_size);
  for (var i = group * params.chunk + lane; i < end; i += WORKGROUP_SIZE) {
    let key = keys[i];
    if (key < least || (key & prefix_mask) != prefix) {
      continue;
    }
    let bin = (key >> shift) & (BINS - 1u);
    if (is_top_p) {
      let weight = probability_weight(relative_probability(key, highest));
      atomicAdd(&digit_low[bin], weight & LIMB_MASK);
      atomicAdd(&digit_high[bin], weight >> LIMB_BITS);
    } else {
      atomicAdd(&digit_low[bin], 1u);
    }
  }
  workgroupBarrier();
  for (var bin = lane; bin < BINS; bin += WORKGROUP_SIZE) {
    let low = atomicLoad(&digit_low[bin]);
    let high = atomicLoad(&digit_high[bin]);
    let at = 2u * (stage * BINS + bin);
    if (low != 0u) {
      atomicAdd(&histograms[at], low);
    }
    if (high != 0u) {
      atomicAdd(&histograms[at + 1u], high);
    }
  }
}
