// sdpa_with_kv_cache for one query row, first of two steps (flash decoding): one workgroup a key
// head and split. A split is a run of ⌈context / splits⌉ cache positions; its workgroup serves all
// query heads of the group, HEADS at a time, so that keys and values are read once for them all.
// The workgroup whose split holds the new position writes that row of the caches first.
//
// TEAM lanes share a position: lane t of a team holds quads t, t + TEAM, … of the head. Every team
// keeps its own running maximum and sum over the positions it meets; the teams are joined at the
// end. Exponents are of two: scores carry a factor log2(e).
//
// With shared/cache-quad-*.wgsl and sdpa-split-subgroup.wgsl or sdpa-split-workgroup.wgsl, which
// supply team_sums and main.

const HEADS: u32 = 4u; // @param query heads at a time; divides the group
const TEAM: u32 = 4u; // @param lanes a position: a power of two
const QUADS: u32 = 4u; // @param quads of a head that a lane holds: ⌈D / 4 / TEAM⌉
const DEPTH: u32 = 2u; // @param positions a team takes at a time

const ITEMS: u32 = HEADS * QUADS;
const SCORES: u32 = HEADS * DEPTH;
const JOINED: u32 = min(4u, ITEMS); // quads a lane hands over at a time when teams are joined
const MASKED: f32 = -1e30;
const LOG2_E: f32 = 1.44269504088896;

struct Params {
  kv_heads: u32,
  group: u32, // query heads a key head
  head_quads: u32, // D / 4
  splits: u32,
  cache_length: u32,
  scale: f32,
}

// Unnormalised output of each split, and its maximum and sum.
@group(0) @binding(0) var<storage, read_write> partial_out: array<vec4<f32>>; // [Hq, splits, D / 4]
@group(0) @binding(1) var<storage, read_write> partial_stats: array<vec2<f32>>; // [Hq, splits]
@group(0) @binding(2) var<storage, read_write> k_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(3) var<storage, read_write> v_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(4) var<storage, read> q: array<vec4<f32>>; // [Hq, D / 4]
@group(0) @binding(5) var<storage, read> k: array<vec4<f32>>; // [Hkv, D / 4]
@group(0) @binding(6) var<storage, read> v: array<vec4<f32>>; // [Hkv, D / 4]
@group(0) @binding(7) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(8) var<uniform> params: Params;

override TEAMS: u32 = WORKGROUP_SIZE / TEAM;

// Maximum and sum of each team, by head.
var<workgroup> team_stats: array<vec2<f32>, HEADS * WORKGROUP_SIZE / TEAM>;
var<workgroup> joined: array<vec4<f32>, JOINED * WORKGROUP_SIZE>;

// What a lane knows of its team's positions: the softmax so far, by head, and its quads of the
// output, by head and quad.
struct Running {
  maximum: array<f32, HEADS>,
  sum: array<f32, HEADS>,
  out: array<vec4<f32>, ITEMS>,
}

fn append_row(kv_head: u32, position: u32, lane: u32) {
  for (var quad = lane; quad < params.head_quads; quad += WORKGROUP_SIZE) {
    let source = kv_head * params.head_quads + quad;
    let row = position * params.kv_heads * params.head_quads;
    k_cache[row + source] = pack_quad(k[source]);
    v_cache[row + source] = pack_quad(v[source]);
  }
}

// Attention of heads [first_head, first_head + HEADS) over positions [start, end), start < end.
fn attend(
  state: ptr<function, Running>,
  first_head: u32,
  kv_head: u32,
  start: u32,
  end: u32,
  lane: u32,
) {
  let team = lane / TEAM;
  var query = array<vec4<f32>, ITEMS>();
  // A lane past the head's last quad reads that one again, and multiplies it by zero.
  var quads = array<u32, QUADS>();
  for (var j = 0u; j < QUADS; j++) {
    quads[j] = min(j * TEAM + lane % TEAM, params.head_quads - 1u);
  }
  for (var h = 0u; h < HEADS; h++) {
    (*state).maximum[h] = MASKED;
    for (var j = 0u; j < QUADS; j++) {
      let inside = j * TEAM + lane % TEAM < params.head_quads;
      let factor = select(0.0, params.scale * LOG2_E, inside);
      query[h * QUADS + j] = factor * q[(first_head + h) * params.head_quads + quads[j]];
    }
  }
  for (var base = start; base < end; base += TEAMS * DEPTH) {
    var rows = array<u32, DEPTH>();
    // Without an initialiser it would keep the weights of the round before.
    var scores = array<f32, SCORES>();
    for (var n = 0u; n < DEPTH; n++) {
      // Past the end a team looks at the last position again, and ignores what it finds.
      let position = min(base + n * TEAMS + team, end - 1u);
      rows[n] = (position * params.kv_heads + kv_head) * params.head_quads;
      for (var j = 0u; j < QUADS; j++) {
        let key = unpack_quad(k_cache[rows[n] + quads[j]]);
        for (var h = 0u; h < HEADS; h++) {
          scores[n * HEADS + h] += dot(query[h * QUADS + j], key);
        }
      }
    }
    team_sums(&scores, lane);
    for (var h = 0u; h < HEADS; h++) {
      var maximum = (*state).maximum[h];
      for (var n = 0u; n < DEPTH; n++) {
        let valid = base + n * TEAMS + team < end;
        scores[n * HEADS + h] = select(MASKED, scores[n * HEADS + h], valid);
        maximum = max(maximum, scores[n * HEADS + h]);
      }
      let rescale = exp2((*state).maximum[h] - maximum);
      (*state).maximum[h] = maximum;
      (*state).sum[h] *= rescale;
      for (var j = 0u; j < QUADS; j++) {
        (*state).out[h * QUADS + j] *= rescale;
      }
    }
    for (var n = 0u; n < DEPTH; n++) {
      for (var h = 0u; h < HEADS; h++) {
        // A masked score weighs nothing; where a team has met no position at all, its maximum is the
        // masked value and whatever it adds up is dropped when the teams are joined.
        let weight = exp2(scores[n * HEADS + h] - (*state).maximum[h]);
        scores[n * HEADS + h] = weight;
        (*state).sum[h] += weight;
      }
      for (var j = 0u; j < QUADS; j++) {
        let value = unpack_quad(v_cache[rows[n] + quads[j]]);
        for (var h = 0u; h < HEADS; h++) {
          (*state).out[h * QUADS + j] += scores[n * HEADS + h] * value;
        }
      }
    }
  }
}

// Joins the teams' results for heads from first_head on and writes them out.
fn join_teams(state: ptr<function, Running>, first_head: u32, split: u32, lane: u32) {
  let team = lane / TEAM;
  if (lane % TEAM == 0u) {
    for (var h = 0u; h < HEADS; h++) {
      team_stats[h * TEAMS + team] = vec2<f32>((*state).maximum[h], (*state).sum[h]);
    }
  }
  workgroupBarrier();
  for (var h = 0u; h < HEADS; h++) {
    var maximum = MASKED;
    for (var t = 0u; t < TEAMS; t++) {
      maximum = max(maximum, team_stats[h * TEAMS + t].x);
    }
    let rescale = exp2((*state).maximum[h] - maximum);
    for (var j = 0u; j < QUADS; j++) {
      (*state).out[h * QUADS + j] *= rescale;
    }
    if (lane == h % WORKGROUP_SIZE) {
      var sum = 0.0;
      for (var t = 0u; t < TEAMS; t++) {
        sum += team_stats[h * TEAMS + t].y * exp2(team_stats[h * TEAMS + t].x - maximum);
      }
      partial_stats[(first_head + h) * params.splits + split] = vec2<f32>(maximum, sum);
    }
  }
  for (var first = 0u; first < ITEMS; first += JOINED) {
    for (var i = 0u; i < JOINED; i++) {
      if (first + i < ITEMS) {
        joined[i * WORKGROUP_SIZE + lane] = (*state).out[first + i];
      }
    }
    workgroupBarrier();
    for (var o = lane; o < JOINED * TEAM; o += WORKGROUP_SIZE) {
      let item = first + o / TEAM;
      let quad = item % QUADS * TEAM + o % TEAM;
      if (item < ITEMS && quad < params.head_quads) {
        var sum = vec4<f32>();
        for (var t = 0u; t < TEAMS; t++) {
          sum += joined[o / TEAM * WORKGROUP_SIZE + t * TEAM + o % TEAM];
        }
        let row = ((first_head + item / QUADS) * params.splits + split) * params.head_quads;
        partial_out[row + quad] = sum;
      }
    }
    workgroupBarrier();
  }
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
  let split_length = (context + params.splits - 1u) / params.splits;
  let start = min(split * split_length, context);
  let end = min(start + split_length, context);
  if (start <= position && position < end) {
    append_row(kv_head, position, lane);
  }
  storageBarrier();
  workgroupBarrier();
  for (var chunk = 0u; chunk < params.group; chunk += HEADS) {
    let first_head = kv_head * params.group + chunk;
    var state = Running();
    attend(&state, first_head, kv_head, start, end, lane);
    join_teams(&state, first_head, split, lane);
  }
}
