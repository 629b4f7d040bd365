// The logits of linear-matrix.wgsl, and beside them the sampler's first step: of a workgroup's items the best
// token after the repetition penalty. With shared/order-key.wgsl, shared/workgroup-best.wgsl,
// sample/sampler-settings.wgsl, and choice-greedy.wgsl or choice-sampled.wgsl, which supply logit_divisor,
// keep_key and begin_selection.

@group(0) @binding(5) var<storage, read_write> best: array<vec2<u32>>; // [workgroups]: key, token
@group(0) @binding(6) var<storage, read> sampling: array<u32>; // [16]
@group(0) @binding(7) var<storage, read> seen: array<u32>; // [⌈N / 32⌉] bits

// What the keys of an item's tokens depend on: they are in one word of bits.
struct Early {
  seen: u32,
  penalty: f32,
  divisor: f32,
}

alias Before = Early;

fn read_early(item: u32) -> Early {
  let penalty = bitcast<f32>(sampling[REPETITION_PENALTY]);
  return Early(seen[item * OUTPUTS / 32u], penalty, logit_divisor());
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
    let key = logit_key(bitcast<u32>(logit), is_seen, before.penalty, before.divisor);
    keep_key(n, key);
    candidate = better(candidate, vec2<u32>(key, n));
  }
}

fn finish_items(workgroup: u32, workgroups: u32, lane: u32) {
  begin_selection(workgroup, workgroups, lane);
  let found = workgroup_best(candidate, lane);
  if (lane == 0u) {
    best[workgroup] = found;
  }
}
