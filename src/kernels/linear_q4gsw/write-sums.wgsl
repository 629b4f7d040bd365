// Where sums of gemm-subgroup-matrix.wgsl go: to out, with bias and residual, or, where workgroups share
// them, to parts that sum-splits.wgsl adds up. With operands.wgsl.

const SPLIT: bool = false; // @param out is [splits, M, N]: sums over parts of K, one a layer of the grid

// Where a subgroup's outputs lie in out.
struct Target {
  at: u32, // the first
  stride: u32, // from a row to the next
}

fn target_of(place: Place) -> Target {
  if (SPLIT) {
    return Target((place.split * params.M + place.m) * params.N + place.n, params.N);
  }
  let at = place.m * params.out_stride + params.out_offset + place.n;
  return Target(at, params.out_stride);
}

// Whole matrices may be loaded and stored where 16 bytes are aligned.
fn aligned() -> bool {
  if (SPLIT) {
    return params.N % 4u == 0u;
  }
  return !HAS_BIAS && (params.out_stride | params.out_offset) % 4u == 0u;
}

// Sums start with the residual where they go to out without a detour.
fn load_residual(sums: ptr<function, SumsRow>, at: u32, stride: u32) {
  (*sums).a = subgroupMatrixLoad<Sums, row_major>(&residual, at, stride);
  (*sums).b = subgroupMatrixLoad<Sums, row_major>(&residual, at + SIDE, stride);
  if (COLUMNS == 4u) {
    (*sums).c = subgroupMatrixLoad<Sums, row_major>(&residual, at + 2u * SIDE, stride);
    (*sums).d = subgroupMatrixLoad<Sums, row_major>(&residual, at + 3u * SIDE, stride);
  }
}

// Matrices that lie in out as a whole, at aligned places.
fn store_row(sums: ptr<function, SumsRow>, at: u32, stride: u32) {
  subgroupMatrixStore<row_major>(&out, at, (*sums).a, stride);
  subgroupMatrixStore<row_major>(&out, at + SIDE, (*sums).b, stride);
  if (COLUMNS == 4u) {
    subgroupMatrixStore<row_major>(&out, at + 2u * SIDE, (*sums).c, stride);
    subgroupMatrixStore<row_major>(&out, at + 3u * SIDE, (*sums).d, stride);
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
    let m = row + i / SIDE_QUADS;
    let n = column + 4u * (i % SIDE_QUADS);
    for (var j = 0u; j < 4u; j++) {
      if (place.m + m < params.M && place.n + n + j < params.N) {
        if (SPLIT) {
          out[destination.at + m * destination.stride + n + j] = quad[j];
        } else {
          write_output(place.m + m, place.n + n + j, quad[j]);
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
  if (HAS_RESIDUAL && inside && aligned()) {
    let destination = target_of(place);
    let at = destination.at;
    let next = SIDE * destination.stride;
    load_residual(&(*sums).a, at, destination.stride);
    load_residual(&(*sums).b, at + next, destination.stride);
    if (ROWS == 4u) {
      load_residual(&(*sums).c, at + 2u * next, destination.stride);
      load_residual(&(*sums).d, at + 3u * next, destination.stride);
    }
  }
}

fn finish_sums(sums: ptr<function, SumsPart>, place: Place, inside: bool) {
  let destination = target_of(place);
  if (inside && aligned()) {
    let at = destination.at;
    let next = SIDE * destination.stride;
    store_row(&(*sums).a, at, destination.stride);
    store_row(&(*sums).b, at + next, destination.stride);
    if (ROWS == 4u) {
      store_row(&(*sums).c, at + 2u * next, destination.stride);
      store_row(&(*sums).d, at + 3u * next, destination.stride);
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
