// The largest key over a workgroup of WORKGROUP_SIZE lanes (a power of two) and the lowest index
// that has it. With shared/invocation-index.wgsl.

// The better of two (key, index) pairs.
fn better(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
  return select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y));
}

var<workgroup> best_candidates: array<vec2<u32>, WORKGROUP_SIZE>;

// Every lane gets the best pair. Call in uniform control flow.
fn workgroup_best(candidate: vec2<u32>, lane: u32) -> vec2<u32> {
  best_candidates[lane] = candidate;
  workgroupBarrier();
  for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      best_candidates[lane] = better(best_candidates[lane], best_candidates[lane + stride]);
    }
    workgroupBarrier();
  }
  let best = best_candidates[0];
  // The next call may overwrite the candidates only once every lane has read the best.
  workgroupBarrier();
  return best;
}
