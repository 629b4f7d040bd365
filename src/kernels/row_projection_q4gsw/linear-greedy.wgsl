// The logits of linear-matrix.wgsl, and beside them the greedy sampler's first half: of a workgroup's
// items the best token after the repetition penalty. With shared/order-key.wgsl,
// shared/workgroup-best.wgsl and sample/sampler-settings.wgsl.

@group(0) @binding(5) var<storage, read_write> best: array<vec2<u32>>; // [workgroups]: key, token
@group(0) @binding(6) var<storage, read> sampling: array<u32>; // [16]
@group(0) @binding(7) var<storage, read> seen: array<u32>; // [⌈N / 32⌉] bits

// What the penalty of an item's tokens depends on: they are in one word of bits.
struct Early {
  seen: u32,
  penalty: f32,
}

alias Before = Early;

fn read_early(item: u32) -> Early {
  return Early(seen[item * OUTPUTS / 32u], bitcast<f32>(sampling[REPETITION_PENALTY]));
}

fn read_before(early: Early, item: u32) -> Before {
  return early;
}

// Of the tokens this lane has written.
var<private> candidate: vec2<u32> = vec2<u32>(0u, 0xffffffffu);

fn write_output(before: Before, item: u32, r: u32, subgroups: u32) {
  let n = item * OUTPUTS + r;
  if (n < params.N) {
    let logit = total(r, subgroups);
    out[params.out_offset + n] = logit;
    let is_seen = extractBits(before.seen, n % 32u, 1u) == 1u;
    let key = logit_key(bitcast<u32>(logit), is_seen, before.penalty, 1.0);
    candidate = better(candidate, vec2<u32>(key, n));
  }
}

fn finish_items(workgroup: u32, lane: u32) {
  let found = workgroup_best(candidate, lane);
  if (lane == 0u) {
    best[workgroup] = found;
  }
}
