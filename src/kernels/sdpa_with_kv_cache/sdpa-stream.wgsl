// sdpa_with_kv_cache for any number of query rows, after sdpa-append.wgsl: streaming ("flash")
// attention with an online softmax, nowhere holding more scores than a tile.
//
// The query heads of a key head are folded into rows, row = token · group + head. One workgroup a
// key head and tile of 32 rows; it walks the keys that its last row may see in tiles of 64. Lane
// (ty, tx) = (lane / 16, lane % 16) owns the scores of rows 4 ty … 4 ty + 3 for keys 4 tx … 4 tx + 3
// and, of the output of those rows, quads tx, tx + 16, …; in the softmax, lane owns a quarter of
// row lane / 4. Exponents are of two: scores carry a factor log2(e).
//
// With shared/cache-quad-*.wgsl.

const VALUE_QUADS: u32 = 1u; // @param quads of a row's output that a lane owns: ⌈D / 64⌉
const VALUE_KEYS: u32 = 16u; // @param values staged at a time: divides 64, a multiple of 4

const LANES: u32 = 128u;
const ROWS: u32 = 32u;
const KEYS: u32 = 64u;
const KEY_QUADS: u32 = KEYS / 4u;
const OWNED: u32 = 4u; // rows, and keys, a lane owns
const CHUNK: u32 = 4u; // quads of the head staged at a time for scores
const KEY_STRIDE: u32 = CHUNK + 1u; // keeps lanes that read different keys on different banks
const QUERY_STAGE: u32 = KEYS * KEY_STRIDE;
const STAGE_QUADS: u32 = QUERY_STAGE + ROWS * CHUNK; // 448: VALUE_KEYS · VALUE_STRIDE must fit too
const VALUE_STRIDE: u32 = VALUE_QUADS * KEY_QUADS;
const MASKED: f32 = -1e30;
const LOG2_E: f32 = 1.44269504088896;

struct Params {
  tokens: u32, // S
  kv_heads: u32,
  group: u32, // query heads a key head
  head_quads: u32, // D / 4
  cache_length: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>; // [S, Hq, D / 4]
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>; // [S, Hq, D / 4]
@group(0) @binding(2) var<storage, read> k_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(3) var<storage, read> v_cache: array<CacheQuad>; // [cache_length, Hkv, D / 4]
@group(0) @binding(4) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(5) var<uniform> params: Params;

// Keys and then queries while scores are made; values afterwards.
var<workgroup> stage: array<vec4<f32>, STAGE_QUADS>;
// Scores, then weights: [ROWS, KEY_QUADS].
var<workgroup> weights: array<vec4<f32>, ROWS * KEY_QUADS>;
var<workgroup> parts: array<f32, LANES>;
var<workgroup> row_scale: array<f32, ROWS>;

// Where one workgroup works.
struct Tile {
  kv_head: u32,
  first_row: u32,
  rows: u32, // of the whole problem: S · group
  position: u32, // of the first token
  key_end: u32, // keys any of its rows may see
}

fn stage_keys_and_queries(tile: Tile, first_key: u32, first_quad: u32, lane: u32) {
  for (var n = lane; n < KEYS * CHUNK; n += LANES) {
    let key = n / CHUNK;
    let quad = first_quad + n % CHUNK;
    var value = vec4<f32>();
    if (first_key + key < tile.key_end && quad < params.head_quads) {
      let row = (first_key + key) * params.kv_heads + tile.kv_head;
      value = unpack_quad(k_cache[row * params.head_quads + quad]);
    }
    // The keys a lane owns lie 16 apart, those of neighbouring lanes side by side.
    let slot = key % OWNED * (KEYS / OWNED) + key / OWNED;
    stage[slot * KEY_STRIDE + n % CHUNK] = value;
  }
  for (var n = lane; n < ROWS * CHUNK; n += LANES) {
    let row = tile.first_row + n / CHUNK;
    let quad = first_quad + n % CHUNK;
    var value = vec4<f32>();
    if (row < tile.rows && quad < params.head_quads) {
      value = q[query_row(tile, row) * params.head_quads + quad] * (params.scale * LOG2_E);
    }
    stage[QUERY_STAGE + n] = value;
  }
}

// Row of q and out [S · Hq] that a folded row stands for.
fn query_row(tile: Tile, row: u32) -> u32 {
  return (row / params.group * params.kv_heads + tile.kv_head) * params.group + row % params.group;
}

// Writes masked scores of the lane's rows and keys.
fn make_scores(tile: Tile, first_key: u32, lane: u32) {
  let tx = lane % KEY_QUADS;
  let ty = lane / KEY_QUADS;
  var scores = array<vec4<f32>, OWNED>();
  for (var first_quad = 0u; first_quad < params.head_quads; first_quad += CHUNK) {
    stage_keys_and_queries(tile, first_key, first_quad, lane);
    workgroupBarrier();
    // A bound known only when it runs: unrolled, this loop would be most of the kernel.
    for (var quad = 0u; quad < min(CHUNK, params.head_quads - first_quad); quad++) {
      let key0 = stage[tx * KEY_STRIDE + quad];
      let key1 = stage[(KEY_QUADS + tx) * KEY_STRIDE + quad];
      let key2 = stage[(2u * KEY_QUADS + tx) * KEY_STRIDE + quad];
      let key3 = stage[(3u * KEY_QUADS + tx) * KEY_STRIDE + quad];
      for (var i = 0u; i < OWNED; i++) {
        let query = stage[QUERY_STAGE + (ty * OWNED + i) * CHUNK + quad];
        scores[i] +=
          vec4<f32>(dot(query, key0), dot(query, key1), dot(query, key2), dot(query, key3));
      }
    }
    workgroupBarrier();
  }
  let keys = vec4<u32>(first_key + tx * OWNED) + vec4<u32>(0u, 1u, 2u, 3u);
  for (var i = 0u; i < OWNED; i++) {
    let row = ty * OWNED + i;
    let last_key = tile.position + (tile.first_row + row) / params.group;
    weights[row * KEY_QUADS + tx] =
      select(vec4<f32>(MASKED), scores[i], keys <= vec4<u32>(last_key));
  }
}

// Stages values [first_key, first_key + VALUE_KEYS); zero past the end, where the cache may hold
// anything.
fn stage_values(tile: Tile, first_key: u32, lane: u32) {
  for (var n = lane; n < VALUE_KEYS * VALUE_STRIDE; n += LANES) {
    let key = first_key + n / VALUE_STRIDE;
    let quad = n % VALUE_STRIDE;
    var value = vec4<f32>();
    if (key < tile.key_end && quad < params.head_quads) {
      let row = key * params.kv_heads + tile.kv_head;
      value = unpack_quad(v_cache[row * params.head_quads + quad]);
    }
    stage[n] = value;
  }
}

// What a lane carries from one tile of keys to the next.
struct Running {
  maximum: f32, // of row lane / 4
  sum: f32, // of the lane's quarter of that row
  out: array<vec4<f32>, OWNED * VALUE_QUADS>,
}

// Turns scores into weights relative to the running maximum.
fn update_softmax(state: ptr<function, Running>, lane: u32) {
  let row_start = lane / OWNED * KEY_QUADS;
  var scores = array<vec4<f32>, KEY_QUADS / OWNED>();
  var highest = vec4<f32>(MASKED);
  for (var i = 0u; i < KEY_QUADS / OWNED; i++) {
    scores[i] = weights[row_start + i * OWNED + lane % OWNED];
    highest = max(highest, scores[i]);
  }
  parts[lane] = max(max(highest.x, highest.y), max(highest.z, highest.w));
  workgroupBarrier();
  var maximum = (*state).maximum;
  for (var i = 0u; i < OWNED; i++) {
    maximum = max(maximum, parts[lane / OWNED * OWNED + i]);
  }
  let rescale = exp2((*state).maximum - maximum);
  (*state).maximum = maximum;
  if (lane % OWNED == 0u) {
    row_scale[lane / OWNED] = rescale;
  }
  var sum = vec4<f32>();
  for (var i = 0u; i < KEY_QUADS / OWNED; i++) {
    // A masked score is further below the maximum than exp2 resolves: position 0 is never masked.
    let weight = exp2(scores[i] - maximum);
    weights[row_start + i * OWNED + lane % OWNED] = weight;
    sum += weight;
  }
  (*state).sum = (*state).sum * rescale + dot(sum, vec4<f32>(1.0));
}

// Adds the tile's weighted values to the lane's output.
fn add_values(state: ptr<function, Running>, tile: Tile, first_key: u32, lane: u32) {
  let tx = lane % KEY_QUADS;
  let ty = lane / KEY_QUADS;
  for (var i = 0u; i < OWNED * VALUE_QUADS; i++) {
    (*state).out[i] *= row_scale[ty * OWNED + i / VALUE_QUADS];
  }
  let keys = min(KEYS, tile.key_end - first_key);
  for (var staged = 0u; staged < keys; staged += VALUE_KEYS) {
    stage_values(tile, first_key + staged, lane);
    workgroupBarrier();
    for (var key = 0u; key < min(VALUE_KEYS, keys - staged); key += 4u) {
      for (var j = 0u; j < VALUE_QUADS; j++) {
        let at = key * VALUE_STRIDE + j * KEY_QUADS + tx;
        let value0 = stage[at];
        let value1 = stage[at + VALUE_STRIDE];
        let value2 = stage[at + 2u * VALUE_STRIDE];
        let value3 = stage[at + 3u * VALUE_STRIDE];
        for (var i = 0u; i < OWNED; i++) {
          let weight = weights[(ty * OWNED + i) * KEY_QUADS + (staged + key) / 4u];
          (*state).out[i * VALUE_QUADS + j] +=
            weight.x * value0 + weight.y * value1 + weight.z * value2 + weight.w * value3;
        }
      }
    }
    workgroupBarrier();
  }
}

fn write_rows(state: ptr<function, Running>, tile: Tile, lane: u32) {
  let tx = lane % KEY_QUADS;
  let ty = lane / KEY_QUADS;
  parts[lane] = (*state).sum;
  workgroupBarrier();
  for (var i = 0u; i < OWNED; i++) {
    let row = ty * OWNED + i;
    var sum = 0.0;
    for (var part = 0u; part < OWNED; part++) {
      sum += parts[row * OWNED + part];
    }
    for (var j = 0u; j < VALUE_QUADS; j++) {
      let quad = j * KEY_QUADS + tx;
      if (tile.first_row + row < tile.rows && quad < params.head_quads) {
        let at = query_row(tile, tile.first_row + row) * params.head_quads + quad;
        out[at] = (*state).out[i * VALUE_QUADS + j] / sum;
      }
    }
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  var tile = Tile();
  tile.rows = params.tokens * params.group;
  let tiles = (tile.rows + ROWS - 1u) / ROWS;
  if (index >= tiles * params.kv_heads) {
    return;
  }
  tile.kv_head = index % params.kv_heads;
  // Later rows see more keys: the long tiles start first.
  tile.first_row = (tiles - 1u - index / params.kv_heads) * ROWS;
  // A position outside the cache (a negative one wraps) sees the whole cache.
  tile.position = min(u32(input_pos[0]), params.cache_length);
  let last_token = min(tile.first_row + ROWS, tile.rows) - 1u;
  tile.key_end = min(tile.position + last_token / params.group + 1u, params.cache_length);
  var state = Running();
  state.maximum = MASKED;
  for (var first_key = 0u; first_key < tile.key_end; first_key += KEYS) {
    make_scores(tile, first_key, lane);
    workgroupBarrier();
    update_softmax(&state, lane);
    workgroupBarrier();
    add_values(&state, tile, first_key, lane);
  }
  write_rows(&state, tile, lane);
}
