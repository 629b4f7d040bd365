// q, k and v from qkv-matrix.wgsl on their way into attention: q and k are rotated (apply_rotary_emb),
// and k and v become row input_pos[0] of the caches. Rows are whole heads of D, a multiple of 4;
// items are of four. With
// qkv-cache-f16.wgsl or qkv-cache-f32.wgsl.

const HALVES: bool = false; // @param pairs are half a head apart, not neighbours
const PARTNER_COLUMN: u32 = 0u; // @param where a table row has the second value of a pair

struct Params {
  K: u32,
  epsilon: f32, // of rms_norm
  q_rows: u32,
  k_rows: u32,
  v_rows: u32,
  head_size: u32,
  rotary_pairs: u32, // with HALVES half a head
  table_width: u32,
  cache_length: u32,
}

@group(0) @binding(0) var<storage, read_write> q_out: array<vec2<f32>>; // [q_rows / 2]
@group(0) @binding(5) var<storage, read_write> k_cache: array<CachePair>; // [cache_length, k_rows / 2]
@group(0) @binding(6) var<storage, read_write> v_cache: array<CachePair>; // [cache_length, v_rows / 2]
@group(0) @binding(7) var<storage, read> cos_table: array<f32>; // [rows, table_width]
@group(0) @binding(8) var<storage, read> sin_table: array<f32>; // [rows, table_width]
@group(0) @binding(9) var<storage, read> input_pos: array<i32>; // [1]

// An item's rows are two pairs: four neighbours, or with HALVES two neighbours of a head's first half
// and the same two of its second.
fn row_of(place: Place, r: u32) -> u32 {
  if (!HALVES) {
    return place.item * OUTPUTS + r;
  }
  let quads = params.head_size / OUTPUTS;
  let half_head = r / 2u * (params.head_size / 2u);
  return place.item / quads * params.head_size + half_head + place.item % quads * 2u + r % 2u;
}

// What multiplies a pair's values: a · cos.x − b · sin.x and b · cos.y + a · sin.y.
struct Turn {
  cos: vec2<f32>,
  sin: vec2<f32>,
}

fn turn_of(pair: u32, position: u32) -> Turn {
  if (pair >= params.rotary_pairs) {
    return Turn(vec2<f32>(1.0), vec2<f32>(0.0));
  }
  // A position that ran past the table keeps to its last row rather than read outside.
  let row = min(position, arrayLength(&cos_table) / params.table_width - 1u);
  let column = row * params.table_width + pair;
  let partner = column + PARTNER_COLUMN;
  return Turn(
    vec2<f32>(cos_table[column], cos_table[partner]),
    vec2<f32>(sin_table[column], sin_table[partner]),
  );
}

fn turned(pair: vec2<f32>, turn: Turn) -> vec2<f32> {
  return pair * turn.cos + vec2<f32>(-pair.y, pair.x) * turn.sin;
}

// An item's position, and how its two pairs turn.
struct Before {
  position: i32,
  turns: array<Turn, 2>,
}

alias Early = i32;

fn read_early(item: u32) -> Early {
  return input_pos[0];
}

fn read_before(position: Early, item: u32) -> Before {
  let place = place_of(item);
  let row = u32(max(position, 0));
  let first = row_of(place, 0u) % params.head_size;
  let pair = select(first / 2u, first, HALVES);
  return Before(position, array<Turn, 2>(turn_of(pair, row), turn_of(pair + 1u, row)));
}

// The item's first lane writes it whole.
fn write_output(before: Before, item: u32, r: u32, subgroups: u32) {
  if (r > 0u) {
    return;
  }
  let place = place_of(item);
  // Neighbours; with HALVES of the first half of a head, then of the second.
  var low = vec2<f32>(total(0u, subgroups), total(1u, subgroups));
  var high = vec2<f32>(total(2u, subgroups), total(3u, subgroups));
  if (place.part < 2u && HALVES) {
    let first = turned(vec2<f32>(low.x, high.x), before.turns[0]);
    let second = turned(vec2<f32>(low.y, high.y), before.turns[1]);
    low = vec2<f32>(first.x, second.x);
    high = vec2<f32>(first.y, second.y);
  } else if (place.part < 2u) {
    low = turned(low, before.turns[0]);
    high = turned(high, before.turns[1]);
  }
  let low_at = row_of(place, 0u) / 2u;
  let high_at = row_of(place, 2u) / 2u;
  if (place.part == 0u) {
    q_out[low_at] = low;
    q_out[high_at] = high;
    return;
  }
  // A negative position counts as one past the caches.
  let position = u32(before.position);
  if (position >= params.cache_length) {
    return;
  }
  let row = position * (place.rows / 2u);
  if (place.part == 1u) {
    k_cache[row + low_at] = pack_pair(low);
    k_cache[row + high_at] = pack_pair(high);
  } else {
    v_cache[row + low_at] = pack_pair(low);
    v_cache[row + high_at] = pack_pair(high);
  }
}

fn finish_items(workgroup: u32, workgroups: u32, lane: u32) {}
