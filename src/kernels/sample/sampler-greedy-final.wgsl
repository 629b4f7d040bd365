// Greedy sampler, second half: the best chunk's token. One workgroup.
//
// With shared/invocation-index.wgsl, shared/workgroup-best.wgsl and sampler-finish.wgsl.

struct Params {
  groups: u32,
  step: u32,
  history_length: u32,
}

@group(0) @binding(4) var<storage, read> best: array<vec2<u32>>; // [groups]: key, token
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
  var candidate = vec2(0u, 0xffffffffu);
  for (var i = lane; i < params.groups; i += WORKGROUP_SIZE) {
    candidate = better(candidate, best[i]);
  }
  candidate = workgroup_best(candidate, lane);
  if (lane == 0u) {
    finish(candidate.y, params.step, params.history_length);
  }
}
