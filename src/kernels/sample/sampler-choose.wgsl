// Sampler, last step: the token whose weights, added up in order of tokens, first pass a random share
// of the total; at temperature 0 the best. One workgroup.
//
// With shared/invocation-index.wgsl, shared/workgroup-best.wgsl, wide-integer.wgsl,
// sampler-settings.wgsl, sampler-locate.wgsl and sampler-finish.wgsl.

struct Params {
  vocabulary_size: u32,
  chunk: u32,
  groups: u32,
  bests: u32,
  step: u32,
  history_length: u32,
}

@group(0) @binding(4) var<storage, read> weights: array<u32>; // [V]
@group(0) @binding(5) var<storage, read> sums: array<vec2<u32>>; // [groups]
@group(0) @binding(6) var<storage, read> best: array<vec2<u32>>; // [bests]: key, token
@group(0) @binding(7) var<storage, read> sampling: array<u32>; // [16]
@group(0) @binding(8) var<uniform> params: Params;

// Philox2x32-10 (Salmon et al., 2011), its first word: a random number of a position and a seed.
fn random_word(position: u32, seed: u32) -> u32 {
  var counter = vec2(position, 0u);
  var key = seed;
  for (var round = 0u; round < 10u; round++) {
    let product = wide_product(0xd256d193u, counter.x);
    counter = vec2(product.y ^ key ^ counter.y, product.x);
    key += 0x9e3779b9u;
  }
  return counter.x;
}

fn best_token(lane: u32) -> u32 {
  var candidate = vec2(0u, 0xffffffffu);
  for (var i = lane; i < params.bests; i += WORKGROUP_SIZE) {
    candidate = better(candidate, best[i]);
  }
  return workgroup_best(candidate, lane).y;
}

fn random_token(lane: u32) -> u32 {
  for (var bin = lane; bin < BINS; bin += WORKGROUP_SIZE) {
    var sum = vec2<u32>();
    if (bin < params.groups) {
      sum = sums[bin];
    }
    bins[bin] = sum;
  }
  let total = sum_bins(lane);
  let position = u32(input_pos[0]) + params.step;
  let goal = wide_add(
    wide_scale(total, random_word(position, sampling[SEED])),
    vec2(1u, 0u),
  );
  let in_chunk = locate(goal, lane);

  // The chunk again, in 256 runs of neighbours.
  let start = in_chunk.bin * params.chunk;
  let end = min(start + params.chunk, params.vocabulary_size);
  let run = (params.chunk + BINS - 1u) / BINS;
  for (var bin = lane; bin < BINS; bin += WORKGROUP_SIZE) {
    var sum = vec2<u32>();
    let run_end = min(start + (bin + 1u) * run, end);
    for (var i = start + bin * run; i < run_end; i++) {
      sum = wide_add(sum, vec2(weights[i], 0u));
    }
    bins[bin] = sum;
  }
  sum_bins(lane);
  let in_run = locate(in_chunk.rest, lane);
  var rest = in_run.rest;
  var chosen = start + in_run.bin * run;
  while (chosen + 1u < end && wide_less(vec2(weights[chosen], 0u), rest)) {
    rest = wide_subtract(rest, vec2(weights[chosen], 0u));
    chosen++;
  }
  return chosen;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
  var chosen = 0u;
  if (bitcast<f32>(sampling[TEMPERATURE]) > 0.0) {
    chosen = random_token(lane);
  } else {
    chosen = best_token(lane);
  }
  if (lane == 0u) {
    finish(chosen, params.step, params.history_length);
  }
}
