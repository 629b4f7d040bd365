// Threshold selection by radix: finds the highest key such that the tokens above it weigh less than a
// goal, eight bits at a time from the top, each digit by a histogram (a stage). Stages 0–3 are top-k
// (each token weighs 1, the goal is k), stages 4–7 top-p (a token weighs its probability, the goal
// is that share of the total). Weights are integers, so that their sums do not depend on the order
// of additions.
//
// With shared/invocation-index.wgsl, shared/order-key.wgsl, wide-integer.wgsl, sampler-settings.wgsl
// and sampler-locate.wgsl.

const DIGITS: u32 = 4u;
const TOP_K_STAGE: u32 = 0u;
const TOP_P_STAGE: u32 = 4u;

// A weight is a fixed-point number of 26 bits below 1, added up in two limbs of 13 bits: a limb's sum
// over 2^19 tokens fits a word.
const LIMB_BITS: u32 = 13u;
const LIMB_MASK: u32 = (1u << LIMB_BITS) - 1u;
const WEIGHT_ONE: f32 = 67108864.0; // 2^26
const WEIGHT_MAX: u32 = 67108863u;

const KEY_OF_MINUS_INFINITY: u32 = 0x007fffffu;
const KEY_OF_INFINITY: u32 = 0xff800000u;

@group(0) @binding(0) var<storage, read_write> histograms: array<atomic<u32>>; // [stages, 256, 2 limbs]
// [stages + 1]: the threshold as far as it is known before a stage, and what is left of the goal (low,
// high). One more after the last stage of each filter: [4] and [8] hold whole thresholds, that of top-k only
// where top-p is on too.
@group(0) @binding(1) var<storage, read_write> selection: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> best: array<vec2<u32>>; // [bests]: key, token
@group(0) @binding(3) var<storage, read> sampling: array<u32>; // [16]

fn samples() -> bool {
  return bitcast<f32>(sampling[TEMPERATURE]) > 0.0;
}

fn uses_top_k(vocabulary_size: u32) -> bool {
  return samples() && sampling[TOP_K] != 0u && sampling[TOP_K] < vocabulary_size;
}

fn uses_top_p() -> bool {
  return samples() && bitcast<f32>(sampling[TOP_P]) < 1.0;
}

var<workgroup> best_key_found: atomic<u32>;

// The highest key of all. Call in uniform control flow.
fn highest_key(bests: u32, lane: u32) -> u32 {
  // Workgroup memory starts at zero, the lowest key.
  var highest = 0u;
  for (var i = lane; i < bests; i += WORKGROUP_SIZE) {
    highest = max(highest, best[i].x);
  }
  atomicMax(&best_key_found, highest);
  workgroupBarrier();
  return atomicLoad(&best_key_found);
}

// e^(logit − highest logit), at most 1.
fn relative_probability(key: u32, highest: u32) -> f32 {
  if (key >= highest) {
    return 1.0;
  }
  if (key <= KEY_OF_MINUS_INFINITY || highest >= KEY_OF_INFINITY) {
    return 0.0;
  }
  let distance = bitcast<f32>(order_key_bits(highest)) - bitcast<f32>(order_key_bits(key));
  return exp(-min(distance, 80.0));
}

fn probability_weight(probability: f32) -> u32 {
  return min(u32(probability * WEIGHT_ONE + 0.5), WEIGHT_MAX);
}

// The digit of `stage` from its complete histogram: what selection[stage + 1] must be. Call in
// uniform control flow.
fn resolve(stage: u32, vocabulary_size: u32, lane: u32) -> vec4<u32> {
  for (var bin = lane; bin < BINS; bin += WORKGROUP_SIZE) {
    // The highest digit first.
    let at = 2u * (stage * BINS + BINS - 1u - bin);
    let low = atomicLoad(&histograms[at]);
    let high = atomicLoad(&histograms[at + 1u]);
    bins[bin] = wide_add(
      vec2(low, 0u),
      vec2(high << LIMB_BITS, high >> (32u - LIMB_BITS)),
    );
  }
  let total = sum_bins(lane);
  let digit = stage % DIGITS;
  var known = vec4<u32>();
  if (digit > 0u) {
    known = selection[stage];
  } else if (stage == TOP_K_STAGE) {
    known.y = min(sampling[TOP_K], vocabulary_size);
  } else {
    // Exact: below 1, 2^32 times an f32 is an integer or rounds off less than an f32 has.
    let share = u32(max(bitcast<f32>(sampling[TOP_P]), 0.0) * 4294967296.0);
    let goal = wide_scale_up(total, share);
    known = vec4(0u, select(goal, vec2(1u, 0u), all(goal == vec2<u32>())), 0u);
  }
  let found = locate(known.yz, lane);
  let shift = 8u * (DIGITS - 1u - digit);
  return vec4(known.x | ((BINS - 1u - found.bin) << shift), found.rest, 0u);
}
