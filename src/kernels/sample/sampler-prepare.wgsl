// Sampler, step 1: every logit after penalty and temperature as an order key, the best of each chunk
// of the vocabulary, and cleared histograms. One workgroup a chunk.
//
// The later steps read keys and never recompute a logit, so that all of them see the same numbers.
// With shared/invocation-index.wgsl, shared/order-key.wgsl, shared/workgroup-best.wgsl and
// sampler-settings.wgsl.

struct Params {
  vocabulary_size: u32,
  chunk: u32,
  groups: u32,
  histogram_words: u32,
}

@group(0) @binding(0) var<storage, read_write> keys: array<u32>; // [V]
@group(0) @binding(1) var<storage, read_write> best: array<vec2<u32>>; // [groups]: key, token
@group(0) @binding(2) var<storage, read_write> histograms: array<u32>; // [stages, 256, 2 limbs]
@group(0) @binding(3) var<storage, read> logits: array<u32>; // [V] f32 bits
@group(0) @binding(4) var<storage, read> sampling: array<u32>; // [16]
@group(0) @binding(5) var<storage, read> seen: array<u32>; // [⌈V / 32⌉] bits
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_id.x;
  let penalty = bitcast<f32>(sampling[REPETITION_PENALTY]);
  let divisor = temperature_divisor(bitcast<f32>(sampling[TEMPERATURE]));
  let end = min((group + 1u) * params.chunk, params.vocabulary_size);
  var candidate = vec2(0u, 0xffffffffu);
  for (var i = group * params.chunk + lane; i < end; i += WORKGROUP_SIZE) {
    let is_seen = extractBits(seen[i / 32u], i % 32u, 1u) == 1u;
    let key = logit_key(logits[i], is_seen, penalty, divisor);
    keys[i] = key;
    candidate = better(candidate, vec2(key, i));
  }
  let stride = params.groups * WORKGROUP_SIZE;
  for (var i = group * WORKGROUP_SIZE + lane; i < params.histogram_words; i += stride) {
    histograms[i] = 0u;
  }
  candidate = workgroup_best(candidate, lane);
  if (lane == 0u) {
    best[group] = candidate;
  }
}
