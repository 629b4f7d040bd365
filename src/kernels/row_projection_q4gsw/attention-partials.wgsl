// A row as attention left it, in splits (sdpa-split.wgsl): with the largest of a head's maxima M and the
// weights w = exp2(maximum − M) · sum, x = Σ w · partial_out / Σ w. SHARE lanes have an octet of the row in
// common: each joins some of its splits, then all of theirs. The kernel declares params with the number of
// splits. With partial-octet-f16.wgsl or partial-octet-f32.wgsl and shared/limb-words.wgsl.

const HEADS: u32 = 32u; // @param Hq
const HEAD_OCTETS: u32 = 8u; // @param D / 8
const SHARE: u32 = 2u; // @param a power of two, half the smallest subgroup at most
// Splits that a lane loads at a time: two lanes then take two turns for 17 splits, of which eight key heads
// have no more.
const AT_ONCE: u32 = 5u;

const OCTETS: u32 = HEADS * HEAD_OCTETS;
// Lanes of two octets, which share a scale: neighbours have one each.
const RUN: u32 = 2u * SHARE;
const NOTHING: f32 = -1e30;

@group(0) @binding(1) var<storage, read> partial_out: array<PartialOctet>; // [Hq, splits, D / 8]
@group(0) @binding(8) var<storage, read> partial_stats: array<vec2<f32>>; // [splits, Hq]

// What some splits of an octet come to; sums are relative to the maximum.
struct Joined {
  maximum: f32,
  sum: f32,
  first: vec4<f32>,
  second: vec4<f32>,
}

// The octet of a lane, of those from `start` on.
fn octet_of_lane(start: u32, lane: u32) -> u32 {
  return start + lane / RUN * 2u + lane % 2u;
}

// Which of the lanes of an octet it is.
fn share_of_lane(lane: u32) -> u32 {
  return lane % RUN / 2u;
}

// Joins AT_ONCE splits, SHARE apart, to those before. There are seldom so many: the rest is left out, which
// costs less than to read and weigh splits in vain.
fn add_splits(before: Joined, octet: u32, first_split: u32) -> Joined {
  // All loads come before the first use: many in flight hide their latency.
  var stats = array<vec2<f32>, AT_ONCE>();
  var octets = array<PartialOctet, AT_ONCE>();
  let head = octet / HEAD_OCTETS;
  var maximum = before.maximum;
  for (var i = 0u; i < AT_ONCE; i++) { // @unroll
    let split = first_split + i * SHARE;
    if (split < params.splits) {
      stats[i] = partial_stats[split * HEADS + head];
      octets[i] = partial_out[(head * params.splits + split) * HEAD_OCTETS + octet % HEAD_OCTETS];
    }
  }
  for (var i = 0u; i < AT_ONCE; i++) { // @unroll
    maximum = max(maximum, select(NOTHING, stats[i].x, first_split + i * SHARE < params.splits));
  }
  let kept = exp2(before.maximum - maximum);
  var all = Joined(maximum, kept * before.sum, kept * before.first, kept * before.second);
  for (var i = 0u; i < AT_ONCE; i++) { // @unroll
    if (first_split + i * SHARE < params.splits) {
      let weight = exp2(stats[i].x - maximum) * stats[i].y;
      all.sum += weight;
      all.first += weight * first_quad(octets[i]);
      all.second += weight * second_quad(octets[i]);
    }
  }
  return all;
}

// The splits of a lane and of that whose number differs in `mask`.
fn joined_across(own: Joined, mask: u32) -> Joined {
  let maximum = max(own.maximum, subgroupShuffleXor(own.maximum, mask));
  let kept = exp2(own.maximum - maximum);
  let sum = kept * own.sum;
  let first = kept * own.first;
  let second = kept * own.second;
  return Joined(
    maximum,
    sum + subgroupShuffleXor(sum, mask),
    first + subgroupShuffleXor(first, mask),
    second + subgroupShuffleXor(second, mask),
  );
}

// An octet of which all splits are joined, as limbs; without squares, as no norm comes between. Call in
// uniform control flow.
fn octet_words(octet: u32, share: u32) -> LimbWords {
  var all = Joined(NOTHING, 0.0, vec4<f32>(), vec4<f32>());
  for (var split = share; split < params.splits; split += AT_ONCE * SHARE) {
    all = add_splits(all, octet, split);
  }
  for (var mask = 2u; mask < RUN; mask *= 2u) { // @unroll
    all = joined_across(all, mask);
  }
  let factor = 1.0 / all.sum;
  return limb_words(factor * all.first, factor * all.second, 0.0, octet);
}
