// sdpa_with_kv_cache for many query rows on subgroup matrices of 16 × 16, f16 operands and f32 sums,
// after sdpa-append.wgsl and sdpa-query-halves.wgsl: streaming ("flash") attention with an online
// softmax, nowhere holding more scores than a tile.
//
// The query heads of a key head are folded into rows, row = token · group + head. One workgroup a key
// head and tile of ROWS rows; each of its subgroups, of 32 lanes, owns BLOCKS · 16 of them, and all
// walk the keys that the last row may see, KEYS at a time. Lanes 2 r and 2 r + 1 of a subgroup do the
// softmax of row r of a block, each for every other eight keys. Exponents are of two: queries carry a
// factor log2(e).
//
// Weights are relative to a reference of their row that is not its maximum but close: it only moves
// when a score exceeds it by more than SLACK. So the sums, which a kernel cannot touch while they are
// in matrices, hardly ever have to be taken out and rescaled.
//
// Loads are written out at constant places of slabs of 16 keys and 64 values: implementations need no
// check then that they are in bounds.
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

const HEAD_SLABS: u32 = 1u; // @param ⌈D / 64⌉, up to 4
const KEYS: u32 = 64u; // @param a tile: 16 | 32 | 64; times BLOCKS up to 64
const BLOCKS: u32 = 1u; // @param blocks of 16 rows a subgroup owns: 1 | 2
const LANES: u32 = 128u; // @param 32 · subgroups

const SUBGROUP_SIZE: u32 = 32u;
const SIDE: u32 = 16u; // of a matrix
const ROWS: u32 = LANES / SUBGROUP_SIZE * BLOCKS * SIDE;
const SLAB_OCTETS: u32 = 8u; // vectors of eight values in a row of a slab
// A row's vectors, with what keeps neighbouring rows on different banks.
const SLAB_ROW: u32 = SLAB_OCTETS + 1u;
const SLAB_QUADS: u32 = 2u * SLAB_OCTETS;
// Holds scores of a row, or sums of one for a slab of the head.
const SCORE_ROW: u32 = SLAB_QUADS + 2u;
const WEIGHT_ROW: u32 = KEYS / 8u + 1u;
const LANE_OCTETS: u32 = KEYS / 16u; // octets of scores of a row that a lane owns
const KEY_SLABS: u32 = KEYS / SIDE;
// Where the scores of a subgroup's second block begin.
const OTHER: u32 = (BLOCKS - 1u) * (KEYS / 4u);
// Where the weights of a row's second to fourth 16 keys begin, or, of fewer, some others.
const WEIGHTS_1: u32 = 2u % (KEYS / 8u);
const WEIGHTS_2: u32 = 4u % (KEYS / 8u);
const WEIGHTS_3: u32 = 6u % (KEYS / 8u);
const MASKED: f32 = -1e30;
// Weights of up to 2^SLACK are as exact in f16 as those up to 1.
const SLACK: f32 = 8.0;

struct Params {
  tokens: u32, // S
  padded_rows: u32, // S · group, up to whole tiles
  kv_heads: u32,
  group: u32, // query heads a key head
  head_octets: u32, // D / 8
  cache_length: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>; // [S, Hq, D / 4]
@group(0) @binding(1) var<storage, read> q_halves: array<vec4<u32>>; // f16 [Hkv, padded rows, octets]
@group(0) @binding(2) var<storage, read> k_cache: array<vec4<u32>>; // f16 [cache_length, Hkv, D / 8]
@group(0) @binding(3) var<storage, read> v_cache: array<vec4<u32>>; // f16 [cache_length, Hkv, D / 8]
@group(0) @binding(4) var<storage, read> input_pos: array<i32>; // [1]
@group(0) @binding(5) var<uniform> params: Params;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;

// [slab of keys, slab of the head][key, octet]
var<workgroup> k_tile: array<array<vec4<u32>, SIDE * SLAB_ROW>, KEY_SLABS * HEAD_SLABS>;
var<workgroup> v_tile: array<array<vec4<u32>, SIDE * SLAB_ROW>, KEY_SLABS * HEAD_SLABS>;
// [subgroup][row, quad], the scores of its blocks side by side; [block of rows][row, octet of keys]
var<workgroup> scores: array<array<vec4<f32>, SIDE * SCORE_ROW>, LANES / SUBGROUP_SIZE>;
var<workgroup> weights: array<array<vec4<u32>, SIDE * WEIGHT_ROW>, ROWS / SIDE>;
var<workgroup> row_scale: array<f32, ROWS>;
// The last tile of keys, from the second on, for which a row's reference moved.
var<workgroup> moved: atomic<u32>;

// Where one workgroup works.
struct Tile {
  kv_head: u32,
  first_row: u32,
  position: u32, // of the first token
  key_end: u32, // keys any of its rows may see
}

// Queries of a block of rows, 64 values of the head.
struct Queries {
  a: Left,
  b: Left,
  c: Left,
  d: Left,
}

// Sums of a block of rows for 64 values of the head.
struct Values {
  a: Sums,
  b: Sums,
  c: Sums,
  d: Sums,
}

struct Block {
  queries_0: Queries,
  queries_1: Queries,
  queries_2: Queries,
  queries_3: Queries,
  values_0: Values,
  values_1: Values,
  values_2: Values,
  values_3: Values,
}

fn load_queries(at: u32) -> Queries {
  let stride = HEAD_SLABS * SLAB_OCTETS;
  return Queries(
    subgroupMatrixLoad<Left, row_major>(&q_halves, at, stride),
    subgroupMatrixLoad<Left, row_major>(&q_halves, at + 2u, stride),
    subgroupMatrixLoad<Left, row_major>(&q_halves, at + 4u, stride),
    subgroupMatrixLoad<Left, row_major>(&q_halves, at + 6u, stride),
  );
}

fn load_block(block: ptr<function, Block>, first_row: u32) {
  let at = first_row * HEAD_SLABS * SLAB_OCTETS;
  (*block).queries_0 = load_queries(at);
  if (HEAD_SLABS > 1u) {
    (*block).queries_1 = load_queries(at + SLAB_OCTETS);
  }
  if (HEAD_SLABS > 2u) {
    (*block).queries_2 = load_queries(at + 2u * SLAB_OCTETS);
  }
  if (HEAD_SLABS > 3u) {
    (*block).queries_3 = load_queries(at + 3u * SLAB_OCTETS);
  }
}

// Scores of 16 rows, or of two blocks of them, for 16 keys.
struct Scores {
  a: Sums,
  b: Sums,
}

// Adds what 64 values of the head make of the scores.
fn add_scores(sums: ptr<function, Scores>, a: Queries, b: Queries, slab: u32) {
  let key_0 = subgroupMatrixLoad<Right, col_major>(&k_tile[slab], 0u, SLAB_ROW);
  let key_1 = subgroupMatrixLoad<Right, col_major>(&k_tile[slab], 2u, SLAB_ROW);
  let key_2 = subgroupMatrixLoad<Right, col_major>(&k_tile[slab], 4u, SLAB_ROW);
  let key_3 = subgroupMatrixLoad<Right, col_major>(&k_tile[slab], 6u, SLAB_ROW);
  (*sums).a = subgroupMatrixMultiplyAccumulate(a.a, key_0, (*sums).a);
  (*sums).a = subgroupMatrixMultiplyAccumulate(a.b, key_1, (*sums).a);
  (*sums).a = subgroupMatrixMultiplyAccumulate(a.c, key_2, (*sums).a);
  (*sums).a = subgroupMatrixMultiplyAccumulate(a.d, key_3, (*sums).a);
  if (BLOCKS == 2u) {
    (*sums).b = subgroupMatrixMultiplyAccumulate(b.a, key_0, (*sums).b);
    (*sums).b = subgroupMatrixMultiplyAccumulate(b.b, key_1, (*sums).b);
    (*sums).b = subgroupMatrixMultiplyAccumulate(b.c, key_2, (*sums).b);
    (*sums).b = subgroupMatrixMultiplyAccumulate(b.d, key_3, (*sums).b);
  }
}

fn make_scores(a: ptr<function, Block>, b: ptr<function, Block>, key_slab: u32) -> Scores {
  var sums: Scores;
  let slab = key_slab * HEAD_SLABS;
  add_scores(&sums, (*a).queries_0, (*b).queries_0, slab);
  if (HEAD_SLABS > 1u) {
    add_scores(&sums, (*a).queries_1, (*b).queries_1, slab + 1u);
  }
  if (HEAD_SLABS > 2u) {
    add_scores(&sums, (*a).queries_2, (*b).queries_2, slab + 2u);
  }
  if (HEAD_SLABS > 3u) {
    add_scores(&sums, (*a).queries_3, (*b).queries_3, slab + 3u);
  }
  return sums;
}

// Adds 16 weighted values, 64 of the head.
fn add_values(
  a: ptr<function, Values>,
  b: ptr<function, Values>,
  weight_a: Left,
  weight_b: Left,
  slab: u32,
) {
  let value_0 = subgroupMatrixLoad<Right, row_major>(&v_tile[slab], 0u, SLAB_ROW);
  let value_1 = subgroupMatrixLoad<Right, row_major>(&v_tile[slab], 2u, SLAB_ROW);
  let value_2 = subgroupMatrixLoad<Right, row_major>(&v_tile[slab], 4u, SLAB_ROW);
  let value_3 = subgroupMatrixLoad<Right, row_major>(&v_tile[slab], 6u, SLAB_ROW);
  (*a).a = subgroupMatrixMultiplyAccumulate(weight_a, value_0, (*a).a);
  (*a).b = subgroupMatrixMultiplyAccumulate(weight_a, value_1, (*a).b);
  (*a).c = subgroupMatrixMultiplyAccumulate(weight_a, value_2, (*a).c);
  (*a).d = subgroupMatrixMultiplyAccumulate(weight_a, value_3, (*a).d);
  if (BLOCKS == 2u) {
    (*b).a = subgroupMatrixMultiplyAccumulate(weight_b, value_0, (*b).a);
    (*b).b = subgroupMatrixMultiplyAccumulate(weight_b, value_1, (*b).b);
    (*b).c = subgroupMatrixMultiplyAccumulate(weight_b, value_2, (*b).c);
    (*b).d = subgroupMatrixMultiplyAccumulate(weight_b, value_3, (*b).d);
  }
}

fn weigh(
  a: ptr<function, Block>,
  b: ptr<function, Block>,
  weight_a: Left,
  weight_b: Left,
  key_slab: u32,
) {
  let slab = key_slab * HEAD_SLABS;
  add_values(&(*a).values_0, &(*b).values_0, weight_a, weight_b, slab);
  if (HEAD_SLABS > 1u) {
    add_values(&(*a).values_1, &(*b).values_1, weight_a, weight_b, slab + 1u);
  }
  if (HEAD_SLABS > 2u) {
    add_values(&(*a).values_2, &(*b).values_2, weight_a, weight_b, slab + 2u);
  }
  if (HEAD_SLABS > 3u) {
    add_values(&(*a).values_3, &(*b).values_3, weight_a, weight_b, slab + 3u);
  }
}

// What a lane brings of a tile of keys or values: vectors lane, lane + LANES, …
const VECTORS: u32 = KEYS * HEAD_SLABS * SLAB_OCTETS;
const LOADS: u32 = (VECTORS + LANES - 1u) / LANES;

struct Brought {
  k: array<vec4<u32>, LOADS>,
  v: array<vec4<u32>, LOADS>,
}

// Where in a cache a vector lies; past the keys that matter, and past the head, the caches may hold
// anything.
fn cache_octet(tile: Tile, first_key: u32, vector: u32) -> u32 {
  let key = first_key + vector / (HEAD_SLABS * SLAB_OCTETS);
  let octet = vector % (HEAD_SLABS * SLAB_OCTETS);
  if (key >= tile.key_end || octet >= params.head_octets || vector >= VECTORS) {
    return 0xffffffffu;
  }
  return (key * params.kv_heads + tile.kv_head) * params.head_octets + octet;
}

fn load_key(tile: Tile, first_key: u32, vector: u32) -> vec4<u32> {
  let at = cache_octet(tile, first_key, vector);
  if (at == 0xffffffffu) {
    return vec4<u32>();
  }
  return k_cache[at];
}

fn load_value(tile: Tile, first_key: u32, vector: u32) -> vec4<u32> {
  let at = cache_octet(tile, first_key, vector);
  if (at == 0xffffffffu) {
    return vec4<u32>();
  }
  return v_cache[at];
}

// Slab and place in it of a vector.
fn tile_slab(vector: u32) -> u32 {
  let key = vector / (HEAD_SLABS * SLAB_OCTETS);
  return key / SIDE * HEAD_SLABS + vector % (HEAD_SLABS * SLAB_OCTETS) / SLAB_OCTETS;
}

fn tile_place(vector: u32) -> u32 {
  let key = vector / (HEAD_SLABS * SLAB_OCTETS);
  return key % SIDE * SLAB_ROW + vector % SLAB_OCTETS;
}

// What a lane knows of row lane / 2 of a block.
struct RowState {
  reference: f32,
  sum: f32, // of the weights of the lane's keys
}

// Turns a block's scores into weights.
fn soften(
  state: ptr<function, RowState>,
  tile: Tile,
  block: u32,
  first_key: u32,
  tile_index: u32,
  subgroup_lane: u32,
) {
  let row = subgroup_lane / 2u;
  let first_octet = subgroup_lane % 2u;
  var quads = array<vec4<f32>, 2u * LANE_OCTETS>();
  for (var i = 0u; i < LANE_OCTETS; i++) {
    let at = row * SCORE_ROW + block % BLOCKS * OTHER + 2u * (2u * i + first_octet);
    quads[2u * i] = scores[block / BLOCKS][at];
    quads[2u * i + 1u] = scores[block / BLOCKS][at + 1u];
  }
  // Keys that even the first of the tile's rows sees need no mask.
  if (first_key + KEYS > tile.position + tile.first_row / params.group + 1u) {
    let last_key = tile.position + (tile.first_row + block * SIDE + row) / params.group;
    for (var i = 0u; i < LANE_OCTETS; i++) {
      let keys = vec4<u32>(first_key + 8u * (2u * i + first_octet)) + vec4<u32>(0u, 1u, 2u, 3u);
      quads[2u * i] = select(vec4<f32>(MASKED), quads[2u * i], keys <= vec4<u32>(last_key));
      quads[2u * i + 1u] =
        select(vec4<f32>(MASKED), quads[2u * i + 1u], keys + vec4<u32>(4u) <= vec4<u32>(last_key));
    }
  }
  var highest = vec4<f32>(MASKED);
  for (var i = 0u; i < 2u * LANE_OCTETS; i++) {
    highest = max(highest, quads[i]);
  }
  var maximum = max(max(highest.x, highest.y), max(highest.z, highest.w));
  maximum = max(maximum, subgroupShuffleXor(maximum, 1u));
  var rescale = 1.0;
  if (tile_index == 0u) {
    // Key 0 is never masked.
    (*state).reference = maximum;
  } else if (maximum > (*state).reference + SLACK) {
    rescale = exp2((*state).reference - maximum);
    (*state).reference = maximum;
    (*state).sum *= rescale;
    atomicMax(&moved, tile_index);
  }
  if (first_octet == 0u) {
    row_scale[block * SIDE + row] = rescale;
  }
  var sum = vec4<f32>();
  for (var i = 0u; i < LANE_OCTETS; i++) {
    let low = exp2(quads[2u * i] - (*state).reference);
    let high = exp2(quads[2u * i + 1u] - (*state).reference);
    sum += low + high;
    weights[block][row * WEIGHT_ROW + 2u * i + first_octet] = vec4<u32>(
      pack2x16float(low.xy),
      pack2x16float(low.zw),
      pack2x16float(high.xy),
      pack2x16float(high.zw),
    );
  }
  (*state).sum += dot(sum, vec4<f32>(1.0));
}

// Multiplies the rows of sums by row_scale, and writes them once they are done; all subgroups together.
fn scale_values(
  values: ptr<function, Values>,
  tile: Tile,
  block: u32,
  slab: u32,
  done: bool,
  subgroup_lane: u32,
) {
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&scores[block / BLOCKS], 0u, (*values).a, SCORE_ROW);
  subgroupMatrixStore<row_major>(&scores[block / BLOCKS], 4u, (*values).b, SCORE_ROW);
  subgroupMatrixStore<row_major>(&scores[block / BLOCKS], 8u, (*values).c, SCORE_ROW);
  subgroupMatrixStore<row_major>(&scores[block / BLOCKS], 12u, (*values).d, SCORE_ROW);
  workgroupBarrier();
  for (var i = subgroup_lane; i < SIDE * SLAB_QUADS; i += SUBGROUP_SIZE) {
    let at = i / SLAB_QUADS * SCORE_ROW + i % SLAB_QUADS;
    let scaled = scores[block / BLOCKS][at] * row_scale[block * SIDE + i / SLAB_QUADS];
    if (done) {
      let row = tile.first_row + block * SIDE + i / SLAB_QUADS;
      write_quad(tile, row, slab * SLAB_QUADS + i % SLAB_QUADS, scaled);
    } else {
      scores[block / BLOCKS][at] = scaled;
    }
  }
  workgroupBarrier();
  (*values).a = subgroupMatrixLoad<Sums, row_major>(&scores[block / BLOCKS], 0u, SCORE_ROW);
  (*values).b = subgroupMatrixLoad<Sums, row_major>(&scores[block / BLOCKS], 4u, SCORE_ROW);
  (*values).c = subgroupMatrixLoad<Sums, row_major>(&scores[block / BLOCKS], 8u, SCORE_ROW);
  (*values).d = subgroupMatrixLoad<Sums, row_major>(&scores[block / BLOCKS], 12u, SCORE_ROW);
}

fn write_quad(tile: Tile, row: u32, quad: u32, values: vec4<f32>) {
  if (row < params.tokens * params.group && quad < 2u * params.head_octets) {
    let token = row / params.group;
    let head = (token * params.kv_heads + tile.kv_head) * params.group + row % params.group;
    out[head * 2u * params.head_octets + quad] = values;
  }
}

fn scale_block(
  sums: ptr<function, Block>,
  tile: Tile,
  block: u32,
  done: bool,
  subgroup_lane: u32,
) {
  scale_values(&(*sums).values_0, tile, block, 0u, done, subgroup_lane);
  if (HEAD_SLABS > 1u) {
    scale_values(&(*sums).values_1, tile, block, 1u, done, subgroup_lane);
  }
  if (HEAD_SLABS > 2u) {
    scale_values(&(*sums).values_2, tile, block, 2u, done, subgroup_lane);
  }
  if (HEAD_SLABS > 3u) {
    scale_values(&(*sums).values_3, tile, block, 3u, done, subgroup_lane);
  }
}

// What is left to do once all keys are seen: to divide by the sum of the weights.
fn finish_rows(state: RowState, block: u32, subgroup_lane: u32) {
  let sum = state.sum + subgroupShuffleXor(state.sum, 1u);
  if (subgroup_lane % 2u == 0u) {
    row_scale[block * SIDE + subgroup_lane / 2u] = 1.0 / sum;
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup_id: u32,
  @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
  let index = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let tiles = params.padded_rows / ROWS;
  if (index >= tiles * params.kv_heads) {
    return;
  }
  var tile = Tile();
  tile.kv_head = index % params.kv_heads;
  // Later rows see more keys: the long tiles start first.
  tile.first_row = (tiles - 1u - index / params.kv_heads) * ROWS;
  // A position outside the cache (a negative one wraps) sees the whole cache.
  tile.position = min(u32(input_pos[0]), params.cache_length);
  let last_row = min(tile.first_row + ROWS, params.tokens * params.group) - 1u;
  tile.key_end = min(tile.position + last_row / params.group + 1u, params.cache_length);

  // The remainder changes nothing, but shows the compiler that indices are in range.
  let subgroup = subgroup_id % (LANES / SUBGROUP_SIZE);
  let block = subgroup * BLOCKS;
  let query_row = tile.kv_head * params.padded_rows + tile.first_row + block * SIDE;
  var block_a: Block;
  var block_b: Block;
  load_block(&block_a, query_row);
  if (BLOCKS == 2u) {
    load_block(&block_b, query_row + SIDE);
  }
  var state_a = RowState();
  var state_b = RowState();
  for (var i = 0u; i < LOADS; i++) {
    let vector = lane + i * LANES;
    if (vector < VECTORS) {
      k_tile[tile_slab(vector)][tile_place(vector)] = load_key(tile, 0u, vector);
    }
  }
  workgroupBarrier();

  var tile_index = 0u;
  for (var first_key = 0u;; first_key += KEYS) {
    let done = first_key >= tile.key_end;
    if (done) {
      finish_rows(state_a, block, subgroup_lane);
      if (BLOCKS == 2u) {
        finish_rows(state_b, block + 1u, subgroup_lane);
      }
    } else {
    // The values and the next keys travel from memory while scores are made.
    var brought: Brought;
    for (var i = 0u; i < LOADS; i++) {
      brought.v[i] = load_value(tile, first_key, lane + i * LANES);
      brought.k[i] = load_key(tile, first_key + KEYS, lane + i * LANES);
    }
    let scores_0 = make_scores(&block_a, &block_b, 0u);
    subgroupMatrixStore<row_major>(&scores[subgroup], 0u, scores_0.a, SCORE_ROW);
    if (BLOCKS == 2u) {
      subgroupMatrixStore<row_major>(&scores[subgroup], OTHER, scores_0.b, SCORE_ROW);
    }
    if (KEY_SLABS > 1u) {
      let scores_1 = make_scores(&block_a, &block_b, 1u);
      subgroupMatrixStore<row_major>(&scores[subgroup], 4u, scores_1.a, SCORE_ROW);
      if (BLOCKS == 2u) {
        subgroupMatrixStore<row_major>(&scores[subgroup], OTHER + 4u, scores_1.b, SCORE_ROW);
      }
    }
    if (KEY_SLABS > 2u) {
      let scores_2 = make_scores(&block_a, &block_b, 2u);
      subgroupMatrixStore<row_major>(&scores[subgroup], 8u, scores_2.a, SCORE_ROW);
      let scores_3 = make_scores(&block_a, &block_b, 3u);
      subgroupMatrixStore<row_major>(&scores[subgroup], 12u, scores_3.a, SCORE_ROW);
    }
    workgroupBarrier();
    for (var i = 0u; i < LOADS; i++) {
      let vector = lane + i * LANES;
      if (vector < VECTORS) {
        v_tile[tile_slab(vector)][tile_place(vector)] = brought.v[i];
        k_tile[tile_slab(vector)][tile_place(vector)] = brought.k[i];
      }
    }
    soften(&state_a, tile, block, first_key, tile_index, subgroup_lane);
    if (BLOCKS == 2u) {
      soften(&state_b, tile, block + 1u, first_key, tile_index, subgroup_lane);
    }
    }
    // Waits for all as well.
    let rescale = workgroupUniformLoad(&moved) == tile_index && tile_index > 0u;
    if (done || rescale) {
      scale_block(&block_a, tile, block, done, subgroup_lane);
      if (BLOCKS == 2u) {
        scale_block(&block_b, tile, block + 1u, done, subgroup_lane);
      }
    }
    if (done) {
      break;
    }
    let weights_0 = subgroupMatrixLoad<Left, row_major>(&weights[block], 0u, WEIGHT_ROW);
    var other_weights: Left;
    if (BLOCKS == 2u) {
      other_weights = subgroupMatrixLoad<Left, row_major>(&weights[block + 1u], 0u, WEIGHT_ROW);
    }
    weigh(&block_a, &block_b, weights_0, other_weights, 0u);
    if (KEY_SLABS > 1u) {
      let weights_1 = subgroupMatrixLoad<Left, row_major>(&weights[block], WEIGHTS_1, WEIGHT_ROW);
      if (BLOCKS == 2u) {
        other_weights = subgroupMatrixLoad<Left, row_major>(&weights[block + 1u], WEIGHTS_1, WEIGHT_ROW);
      }
      weigh(&block_a, &block_b, weights_1, other_weights, 1u);
    }
    if (KEY_SLABS > 2u) {
      let weights_2 = subgroupMatrixLoad<Left, row_major>(&weights[block], WEIGHTS_2, WEIGHT_ROW);
      if (BLOCKS == 2u) {
        other_weights = subgroupMatrixLoad<Left, row_major>(&weights[block + 1u], WEIGHTS_2, WEIGHT_ROW);
      }
      weigh(&block_a, &block_b, weights_2, other_weights, 2u);
      let weights_3 = subgroupMatrixLoad<Left, row_major>(&weights[block], WEIGHTS_3, WEIGHT_ROW);
      if (BLOCKS == 2u) {
        other_weights = subgroupMatrixLoad<Left, row_major>(&weights[block + 1u], WEIGHTS_3, WEIGHT_ROW);
      }
      weigh(&block_a, &block_b, weights_3, other_weights, 3u);
    }
    tile_index += 1u;
  }
}
