// sdpa_with_kv_cache for one query row, first of two steps (flash decoding): one workgroup a key
// head and split. A split is a run of whole steps of cache positions, the last one also what lies beyond
// (the CPU's position may be old); its workgroup serves all query heads of the group, HEADS at a time, so that
// keys and values are read once for them all.
// With APPEND the workgroup whose split holds the new position writes that row of the caches first.
//
// TEAM lanes share a position: lane t of a team holds quads t, t + TEAM, … of the head. Of the scores that
// they add up each lane gets OWNED, finds their weights and tells the others. Every team keeps its own
// running maximum and sum over the positions it meets; at the end the teams of a unit are joined through
// registers, and the units through workgroup memory. Exponents are of two: scores carry a factor log2(e).
//
// With shared/cache-quad-*.wgsl, partial-quad-*.wgsl, and sdpa-split-subgroup.wgsl or
// sdpa-split-workgroup.wgsl, which supply team_sums, first_owned, tell_team, in_any_team, join_unit, first_kept and main.

const HEADS: u32 = 4u; // @param query heads at a time; divides the group
const TEAM: u32 = 4u; // @param lanes a position: a power of two
const UNIT: u32 = 4u; // @param lanes whose teams are joined through registers: a multiple of TEAM
const QUADS: u32 = 4u; // @param quads of a head that a lane holds: ⌈D / 4 / TEAM⌉
const DEPTH: u32 = 2u; // @param positions a team takes at a time
const SCORE_SHARES: u32 = 4u; // @param a power of two: lanes of a team that own different scores
const UNIT_SHARES: u32 = 1u; // @param a power of two: teams of a unit that hand over different quads
const JOINED: u32 = 4u; // @param quads of a team handed over at a time when units are joined: divides HEADS * QUADS
const APPEND: bool = true; // @param if false k and v are not read

const ITEMS: u32 = HEADS * QUADS;
const SCORES: u32 = HEADS * DEPTH;
const LOADS: u32 = DEPTH * QUADS;
const OWNED: u32 = SCORES / SCORE_SHARES;
const KEPT: u32 = ITEMS / UNIT_SHARES;
// Lanes of a team that own scores of the same heads at different positions.
const POSITION_SHARES: u32 = min(DEPTH, SCORE_SHARES);
const OWNED_HEADS: u32 = min(OWNED, HEADS);
const MASKED: f32 = -1e30;
// Scores may exceed what sums are relative to by so many powers of two before those are rescaled, which
// costs as much as a position: weights and sums stay far from the largest that f32 holds.
const HEADROOM: f32 = 16.0;
const LOG2_E: f32 = 1.44269504088896;

struct Params {
  kv_heads: u32,
  group: u32, // query heads a key head
  head_quads: u32, // D / 4
  splits: u32,
  length: u32, // positions of a split
  longer: u32, // splits, the first ones, that have `step` more
  step: u32,
  cache_length: u32,
  scale: f32,
}

// Output of each split, and its maximum and sum.
@group(0) @binding(0) var<storage, read_write> partial_out: array<PartialQuad>; // [Hq, splits, D / 4]
@group(0) @binding(1) var<storage, read_write> partial_stats: array<vec2<f32>>; // [splits, Hq]
@group(0) @binding(2) var<storage, read_write> k_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(3) var<storage, read_write> v_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(4) var<storage, read> q: array<vec4<f32>>; // [Hq, D / 4]
@group(0) @binding(5) var<storage, read> k: array<vec4<f32>>; // [Hkv, D / 4]
@group(0) @binding(6) var<storage, read> v: array<vec4<f32>>; // [Hkv, D / 4]
@group(0) @binding(7) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(8) var<uniform> params: Params;

override TEAMS: u32 = WORKGROUP_SIZE / TEAM;
override UNITS: u32 = WORKGROUP_SIZE / UNIT;

// Maximum and sum of each unit, by head.
var<workgroup> unit_stats: array<vec2<f32>, HEADS * WORKGROUP_SIZE / UNIT>;
var<workgroup> joined: array<vec4<f32>, JOINED * TEAM * WORKGROUP_SIZE / UNIT>;

// What a lane knows of its team's positions: the softmax so far, by score that it owns, and its quads of
// the output, by head and quad.
struct Running {
  maximum: array<f32, OWNED>,
  base: array<f32, OWNED>, // what sum is relative to, and the output of that head
  sum: array<f32, OWNED>,
  out: array<vec4<f32>, ITEMS>,
  out_base: array<f32, HEADS>, // the same of all heads
}

fn append_row(kv_head: u32, position: u32, lane: u32) {
  for (var quad = lane; quad < params.head_quads; quad += WORKGROUP_SIZE) {
    let source = kv_head * params.head_quads + quad;
    let row = position * params.kv_heads * params.head_quads;
    k_cache[row + source] = pack_quad(k[source]);
    v_cache[row + source] = pack_quad(v[source]);
  }
}

// Attention of heads [first_head, first_head + HEADS) over positions [start, end), if any. Nothing of the
// first round depends on the end: its loads are under way while the position is still being read.
fn attend(
  state: ptr<function, Running>,
  first_head: u32,
  kv_head: u32,
  start: u32,
  end: u32,
  lane: u32,
) {
  let team = lane / TEAM;
  let first_score = first_owned(lane);
  var query = array<vec4<f32>, ITEMS>();
  // A lane past the head's last quad reads that one again, and multiplies it by zero.
  var quads = array<u32, QUADS>();
  for (var j = 0u; j < QUADS; j++) { // @unroll
    quads[j] = min(j * TEAM + lane % TEAM, params.head_quads - 1u);
  }
  for (var h = 0u; h < HEADS; h++) { // @unroll
    (*state).out_base[h] = MASKED;
    for (var j = 0u; j < QUADS; j++) { // @unroll
      let inside = j * TEAM + lane % TEAM < params.head_quads;
      let factor = select(0.0, params.scale * LOG2_E, inside);
      query[h * QUADS + j] = factor * q[(first_head + h) * params.head_quads + quads[j]];
    }
  }
  for (var i = 0u; i < OWNED; i++) { // @unroll
    (*state).maximum[i] = MASKED;
    (*state).base[i] = MASKED;
  }
  var base = start;
  loop {
    // All loads come before the first use: many in flight hide their latency.
    var keys = array<CacheQuad, LOADS>();
    var values = array<CacheQuad, LOADS>();
    for (var n = 0u; n < DEPTH; n++) { // @unroll
      let position = min(base + n * TEAMS + team, params.cache_length - 1u);
      let row = (position * params.kv_heads + kv_head) * params.head_quads;
      for (var j = 0u; j < QUADS; j++) { // @unroll
        keys[n * QUADS + j] = k_cache[row + quads[j]];
        values[n * QUADS + j] = v_cache[row + quads[j]];
      }
    }
    // Without an initialiser it would keep the weights of the round before.
    var scores = array<f32, SCORES>();
    for (var n = 0u; n < DEPTH; n++) { // @unroll
      for (var j = 0u; j < QUADS; j++) { // @unroll
        let key = unpack_quad(keys[n * QUADS + j]);
        for (var h = 0u; h < HEADS; h++) { // @unroll
          scores[n * HEADS + h] = plus_dot(scores[n * HEADS + h], query[h * QUADS + j], key);
        }
      }
    }
    team_sums(&scores, lane);
    var exceeds = false;
    for (var i = 0u; i < OWNED; i++) { // @unroll
      let valid = base + (first_score + i) / HEADS * TEAMS + team < end;
      scores[i] = select(MASKED, scores[i], valid);
      (*state).maximum[i] = max((*state).maximum[i], scores[i]);
      exceeds = exceeds || scores[i] > (*state).base[i] + HEADROOM;
    }
    if (in_any_team(exceeds)) {
      rescale(state, first_score);
    }
    var own_weights = array<f32, OWNED>();
    for (var i = 0u; i < OWNED; i++) { // @unroll
      // A masked score weighs nothing; where a team has met no position at all, its base is the
      // masked value and whatever it adds up is dropped when the teams are joined.
      own_weights[i] = exp2(scores[i] - (*state).base[i]);
      (*state).sum[i] += own_weights[i];
    }
    var weights = array<f32, SCORES>();
    tell_team(&own_weights, &weights);
    if (base + DEPTH * TEAMS > end) {
      // Beyond the end may be anything, also what is no number.
      for (var n = 0u; n < DEPTH; n++) { // @unroll
        let valid = base + n * TEAMS + team < end;
        for (var j = 0u; j < QUADS; j++) { // @unroll
          values[n * QUADS + j] = select(CacheQuad(), values[n * QUADS + j], valid);
        }
      }
    }
    for (var n = 0u; n < DEPTH; n++) { // @unroll
      for (var j = 0u; j < QUADS; j++) { // @unroll
        let value = unpack_quad(values[n * QUADS + j]);
        for (var h = 0u; h < HEADS; h++) { // @unroll
          (*state).out[h * QUADS + j] += weights[n * HEADS + h] * value;
        }
      }
    }
    base += TEAMS * DEPTH;
    if (base >= end) {
      break;
    }
  }
}

// An instruction less than a dot product and then a sum.
fn plus_dot(sum: f32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

// Makes the maxima so far what sums and outputs are relative to.
fn rescale(state: ptr<function, Running>, first_score: u32) {
  var own_maxima = (*state).maximum;
  var maxima = array<f32, SCORES>();
  tell_team(&own_maxima, &maxima);
  for (var h = 0u; h < HEADS; h++) { // @unroll
    var maximum = MASKED;
    for (var n = 0u; n < DEPTH; n++) { // @unroll
      maximum = max(maximum, maxima[n * HEADS + h]);
    }
    let factor = exp2((*state).out_base[h] - maximum);
    (*state).out_base[h] = maximum;
    for (var j = 0u; j < QUADS; j++) { // @unroll
      (*state).out[h * QUADS + j] *= factor;
    }
  }
  for (var i = 0u; i < OWNED; i++) { // @unroll
    let before = (*state).base[i];
    for (var h = 0u; h < HEADS; h++) { // @unroll
      if ((first_score + i) % HEADS == h) {
        (*state).base[i] = (*state).out_base[h];
      }
    }
    (*state).sum[i] *= exp2(before - (*state).base[i]);
  }
}

// Adds up the sums of a head at the positions that a lane owns.
fn add_positions(state: ptr<function, Running>) {
  for (var i = OWNED_HEADS; i < OWNED; i++) { // @unroll
    (*state).sum[i % OWNED_HEADS] += (*state).sum[i];
  }
}

// Joins the units' results for heads from first_head on and writes them out: the units hand over
// what they have as it is, and who adds it up knows by how much each is to be rescaled.
fn join_units(state: ptr<function, Running>, first_head: u32, split: u32, lane: u32) {
  let unit = lane / UNIT;
  if (lane % UNIT < SCORE_SHARES && lane % POSITION_SHARES == 0u) {
    for (var i = 0u; i < OWNED_HEADS; i++) { // @unroll
      let h = first_owned(lane) + i;
      unit_stats[h * UNITS + unit] = vec2<f32>((*state).base[i], (*state).sum[i]);
    }
  }
  let item = first_kept(lane);
  for (var first = 0u; first < ITEMS; first += JOINED) { // @unroll
    for (var i = 0u; i < KEPT; i++) { // @unroll
      if (lane % UNIT < TEAM * UNIT_SHARES && item + i >= first && item + i < first + JOINED) {
        joined[((item + i - first) * UNITS + unit) * TEAM + lane % TEAM] = (*state).out[i];
      }
    }
    workgroupBarrier();
    for (var o = lane; o < JOINED * TEAM; o += WORKGROUP_SIZE) {
      let item = first + o / TEAM;
      let quad = item % QUADS * TEAM + o % TEAM;
      if (quad < params.head_quads) {
        write_quad(o, item / QUADS, quad, first_head, split);
      }
    }
    workgroupBarrier();
  }
}

// Output `o` of what the units handed over: a quad of head `h`, whose maximum and sum go with the first.
fn write_quad(o: u32, h: u32, quad: u32, first_head: u32, split: u32) {
  var maximum = MASKED;
  for (var u = 0u; u < UNITS; u++) {
    maximum = max(maximum, unit_stats[h * UNITS + u].x);
  }
  var sum = 0.0;
  var out = vec4<f32>();
  for (var u = 0u; u < UNITS; u++) {
    let stats = unit_stats[h * UNITS + u];
    let weight = exp2(stats.x - maximum);
    sum += weight * stats.y;
    out += weight * joined[(o / TEAM * UNITS + u) * TEAM + o % TEAM];
  }
  let head = first_head + h;
  // A split without positions has weighed what is masked: its sum is no zero either.
  partial_out[(head * params.splits + split) * params.head_quads + quad] = pack_partial(out / sum);
  if (quad == 0u) {
    partial_stats[split * params.kv_heads * params.group + head] = vec2<f32>(maximum, sum);
  }
}

// The first position of a split.
fn start_of(split: u32) -> u32 {
  return split * params.length + min(split, params.longer) * params.step;
}

// The work of workgroup `index`. Call in uniform control flow.
fn attend_split(index: u32, lane: u32) {
  if (index >= params.kv_heads * params.splits) {
    return;
  }
  let kv_head = index % params.kv_heads;
  let split = index / params.kv_heads;
  // A position outside the cache (a negative one wraps) attends to the whole cache, appends nothing.
  let position = min(u32(input_pos[0]), params.cache_length);
  let context = min(position + 1u, params.cache_length);
  let start = start_of(split);
  let is_last = split + 1u == params.splits;
  let end = select(min(start_of(split + 1u), context), context, is_last);
  if (APPEND) {
    if (start <= position && position < end) {
      append_row(kv_head, position, lane);
    }
    storageBarrier();
    workgroupBarrier();
  }
  for (var chunk = 0u; chunk < params.group; chunk += HEADS) {
    let first_head = kv_head * params.group + chunk;
    var state = Running();
    attend(&state, first_head, kv_head, start, end, lane);
    join_unit(&state, lane);
    join_units(&state, first_head, split, lane);
  }
}
