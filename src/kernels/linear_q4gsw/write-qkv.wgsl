// Where sums of gemm-subgroup-matrix.wgsl go where its columns are q's, then k's, then v's: each to a tensor
// of its own. Columns of q and of k are multiples of a tile's.

struct Params {
  M: u32, // live rows of x
  N: u32, // columns of all three
  K: u32,
  q_columns: u32,
  k_columns: u32,
}

@group(0) @binding(0) var<storage, read_write> q_out: array<f32>; // [M, q_columns]
@group(0) @binding(2) var<storage, read_write> k_out: array<f32>; // [M, k_columns]
@group(0) @binding(3) var<uniform> params: Params;
@group(0) @binding(6) var<storage, read_write> v_out: array<f32>; // [M, N - q_columns - k_columns]

const IS_Q: u32 = 0u;
const IS_K: u32 = 1u;
const IS_V: u32 = 2u;

// The tensor of a subgroup's columns, and where they are in it.
struct Target {
  tensor: u32,
  n: u32, // the first
  columns: u32,
}

fn target_of(place: Place) -> Target {
  let k_end = params.q_columns + params.k_columns;
  if (place.n < params.q_columns) {
    return Target(IS_Q, place.n, params.q_columns);
  }
  if (place.n < k_end) {
    return Target(IS_K, place.n - params.q_columns, params.k_columns);
  }
  return Target(IS_V, place.n - k_end, params.N - k_end);
}

fn store_q(sums: ptr<function, SumsRow>, at: u32, stride: u32) {
  subgroupMatrixStore<row_major>(&q_out, at, (*sums).a, stride);
  subgroupMatrixStore<row_major>(&q_out, at + SIDE, (*sums).b, stride);
  if (COLUMNS == 4u) {
    subgroupMatrixStore<row_major>(&q_out, at + 2u * SIDE, (*sums).c, stride);
    subgroupMatrixStore<row_major>(&q_out, at + 3u * SIDE, (*sums).d, stride);
  }
}

fn store_k(sums: ptr<function, SumsRow>, at: u32, stride: u32) {
  subgroupMatrixStore<row_major>(&k_out, at, (*sums).a, stride);
  subgroupMatrixStore<row_major>(&k_out, at + SIDE, (*sums).b, stride);
  if (COLUMNS == 4u) {
    subgroupMatrixStore<row_major>(&k_out, at + 2u * SIDE, (*sums).c, stride);
    subgroupMatrixStore<row_major>(&k_out, at + 3u * SIDE, (*sums).d, stride);
  }
}

fn store_v(sums: ptr<function, SumsRow>, at: u32, stride: u32) {
  subgroupMatrixStore<row_major>(&v_out, at, (*sums).a, stride);
  subgroupMatrixStore<row_major>(&v_out, at + SIDE, (*sums).b, stride);
  if (COLUMNS == 4u) {
    subgroupMatrixStore<row_major>(&v_out, at + 2u * SIDE, (*sums).c, stride);
    subgroupMatrixStore<row_major>(&v_out, at + 3u * SIDE, (*sums).d, stride);
  }
}

// Matrices that lie in their tensor as a whole.
fn store_row(sums: ptr<function, SumsRow>, place: Place, destination: Target, row: u32) {
  let at = (place.m + row) * destination.columns + destination.n;
  if (destination.tensor == IS_Q) {
    store_q(sums, at, destination.columns);
  } else if (destination.tensor == IS_K) {
    store_k(sums, at, destination.columns);
  } else {
    store_v(sums, at, destination.columns);
  }
}

// Any other goes through workgroup memory that the tiles no longer need; all subgroups together.
fn write_sums(sums: Sums, place: Place, destination: Target, row: u32, column: u32) {
  let scratch = place.part_n * SIDE * SIDE_QUADS;
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&x_tile[place.part_m], scratch, sums, SIDE_QUADS);
  workgroupBarrier();
  for (var i = place.subgroup_lane; i < SIDE * SIDE_QUADS; i += SUBGROUP_SIZE) {
    let quad = bitcast<vec4<f32>>(x_tile[place.part_m][scratch + i]);
    let m = place.m + row + i / SIDE_QUADS;
    let n = destination.n + column + 4u * (i % SIDE_QUADS);
    for (var j = 0u; j < 4u; j++) {
      if (m < params.M && n + j < destination.columns) {
        let at = m * destination.columns + n + j;
        if (destination.tensor == IS_Q) {
          q_out[at] = quad[j];
        } else if (destination.tensor == IS_K) {
          k_out[at] = quad[j];
        } else {
          v_out[at] = quad[j];
        }
      }
    }
  }
}

fn write_row(sums: ptr<function, SumsRow>, place: Place, destination: Target, row: u32) {
  write_sums((*sums).a, place, destination, row, 0u);
  write_sums((*sums).b, place, destination, row, SIDE);
  if (COLUMNS == 4u) {
    write_sums((*sums).c, place, destination, row, 2u * SIDE);
    write_sums((*sums).d, place, destination, row, 3u * SIDE);
  }
}

fn start_sums(sums: ptr<function, SumsPart>, place: Place, inside: bool) {
  // With zeros, as they are.
}

fn finish_sums(sums: ptr<function, SumsPart>, place: Place, inside: bool) {
  let destination = target_of(place);
  if (inside) {
    store_row(&(*sums).a, place, destination, 0u);
    store_row(&(*sums).b, place, destination, SIDE);
    if (ROWS == 4u) {
      store_row(&(*sums).c, place, destination, 2u * SIDE);
      store_row(&(*sums).d, place, destination, 3u * SIDE);
    }
    return;
  }
  write_row(&(*sums).a, place, destination, 0u);
  write_row(&(*sums).b, place, destination, SIDE);
  if (ROWS == 4u) {
    write_row(&(*sums).c, place, destination, 2u * SIDE);
    write_row(&(*sums).d, place, destination, 3u * SIDE);
  }
}
