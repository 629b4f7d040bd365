// Three matrices of one K: items of OUTPUTS neighbouring outputs, first q's, then k's, then v's. Ten
// storage buffers. With project.wgsl.

const OUTPUTS: u32 = 4u; // @param outputs an item
const SUMS: u32 = OUTPUTS;

struct Params {
  K: u32,
  epsilon: f32, // of rms_norm
  q_rows: u32,
  k_rows: u32,
  v_rows: u32,
}

@group(0) @binding(0) var<storage, read_write> q_out: array<f32>; // [q_rows]
@group(0) @binding(2) var<storage, read> q: array<vec4<u32>>; // [q_rows, K / 32]
@group(0) @binding(3) var<storage, read> q_scales: array<u32>; // [q_rows, K / group]
@group(0) @binding(4) var<uniform> params: Params;
@group(0) @binding(5) var<storage, read_write> k_out: array<f32>;
@group(0) @binding(6) var<storage, read> k: array<vec4<u32>>;
@group(0) @binding(7) var<storage, read> k_scales: array<u32>;
@group(0) @binding(8) var<storage, read_write> v_out: array<f32>;
@group(0) @binding(9) var<storage, read> v: array<vec4<u32>>;
@group(0) @binding(10) var<storage, read> v_scales: array<u32>;

struct Weights {
  words: array<vec4<u32>, SUMS>,
  scales: array<f32, SUMS>,
}

// Where an item belongs: its matrix (0, 1, 2), the matrix's rows, and the item's first.
struct Place {
  matrix: u32,
  rows: u32,
  first: u32,
}

fn items_of(rows: u32) -> u32 {
  return (rows + OUTPUTS - 1u) / OUTPUTS;
}

fn item_count() -> u32 {
  return items_of(params.q_rows) + items_of(params.k_rows) + items_of(params.v_rows);
}

fn place_of(item: u32) -> Place {
  let q_items = items_of(params.q_rows);
  if (item < q_items) {
    return Place(0u, params.q_rows, item * OUTPUTS);
  }
  let k_items = items_of(params.k_rows);
  if (item < q_items + k_items) {
    return Place(1u, params.k_rows, (item - q_items) * OUTPUTS);
  }
  return Place(2u, params.v_rows, (item - q_items - k_items) * OUTPUTS);
}

fn read_weights(item: u32, block: u32) -> Weights {
  let blocks = params.K / 32u;
  let place = place_of(item);
  var at: array<u32, OUTPUTS>;
  var scale_at: array<u32, OUTPUTS>;
  for (var r = 0u; r < OUTPUTS; r++) {
    // Past the last output the last one is computed again and not written.
    let n = min(place.first + r, place.rows - 1u);
    at[r] = n * blocks + block;
    scale_at[r] = n * (blocks / BLOCKS_PER_GROUP) + block / BLOCKS_PER_GROUP;
  }
  var read: Weights;
  switch (place.matrix) {
    case 0u: {
      for (var r = 0u; r < OUTPUTS; r++) {
        read.words[r] = q[at[r]];
        read.scales[r] = decode_scale(q_scales[scale_word(scale_at[r])], scale_at[r]);
      }
    }
    case 1u: {
      for (var r = 0u; r < OUTPUTS; r++) {
        read.words[r] = k[at[r]];
        read.scales[r] = decode_scale(k_scales[scale_word(scale_at[r])], scale_at[r]);
      }
    }
    default: {
      for (var r = 0u; r < OUTPUTS; r++) {
        read.words[r] = v[at[r]];
        read.scales[r] = decode_scale(v_scales[scale_word(scale_at[r])], scale_at[r]);
      }
    }
  }
  return read;
}

fn write_output(item: u32, r: u32, subgroups: u32) {
  let place = place_of(item);
  let n = place.first + r;
  if (n >= place.rows) {
    return;
  }
  let sum = total(r, subgroups);
  switch (place.matrix) {
    case 0u: {
      q_out[n] = sum;
    }
    case 1u: {
      k_out[n] = sum;
    }
    default: {
      v_out[n] = sum;
    }
  }
}
