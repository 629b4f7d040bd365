// One matrix of q's rows, then k's, then v's: items of OUTPUTS rows of one of the three. With
// project.wgsl, and qkv.wgsl or qkv-rotary.wgsl, which say which rows an item takes and where its sums go.

const OUTPUTS: u32 = 4u; // @param outputs an item
const SUMS: u32 = OUTPUTS;

@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [q_rows + k_rows + v_rows, K / 32]
@group(0) @binding(3) var<storage, read> scales: array<u32>; // [q_rows + k_rows + v_rows, K / group]
@group(0) @binding(4) var<uniform> params: Params;

struct Weights {
  first: array<vec4<u32>, SUMS>, // of each row, the step's first block
  second: array<vec4<u32>, SUMS>,
  scales: array<vec2<f32>, SUMS>,
}

// Where an item belongs: which of q, k and v (0, 1, 2), its rows, and how many items precede this one
// in it.
struct Place {
  part: u32,
  rows: u32,
  item: u32,
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
    return Place(0u, params.q_rows, item);
  }
  let k_items = items_of(params.k_rows);
  if (item < q_items + k_items) {
    return Place(1u, params.k_rows, item - q_items);
  }
  return Place(2u, params.v_rows, item - q_items - k_items);
}

fn read_weights(item: u32, block: u32) -> Weights {
  let place = place_of(item);
  var first = select(0u, params.q_rows, place.part > 0u);
  first += select(0u, params.k_rows, place.part > 1u);
  var read: Weights;
  for (var r = 0u; r < OUTPUTS; r++) { // @unroll
    // Past the last output the last one is computed again and not written.
    let n = first + min(row_of(place, r), place.rows - 1u);
    let at = n * block_count() + block;
    let scale = scale_index(n, block);
    read.first[r] = weight[at];
    if (STEP == 2u) {
      read.second[r] = weight[at + 1u];
    }
    read.scales[r] =
      decode_scales(scales[scale_word(scale)], scales[next_scale_word(scale)], scale);
  }
  return read;
}
