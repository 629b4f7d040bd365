// linear_q4gsw for many rows of x on subgroup matrices of 16 × 16: f16 operands, f32 sums. A workgroup
// owns TILE × TILE outputs; its subgroups, of 32 lanes, ROWS × 2 matrices each. With operands.wgsl and
// tiles-f16.wgsl.
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

const TILE: u32 = 128u; // @param 128 | 64
const LANES: u32 = 2u * TILE;
const SUBGROUP_SIZE: u32 = 32u;
const SIDE: u32 = 16u; // of a matrix
const SIDE_QUADS: u32 = SIDE / 4u;

// Matrices of a subgroup, one above the other. They are variables of their own, because compilers keep
// an array of them in memory.
const ROWS: u32 = TILE / 32u;
const PART_M: u32 = TILE / 2u;
const PART_N: u32 = 2u * SIDE;
const PARTS_N: u32 = TILE / PART_N;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;

fn load_left(row: u32, at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&tiles, row * ROW + at, ROW);
}

fn load_right(row: u32, at: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&tiles, (TILE + row) * ROW + at, ROW);
}

// Sums start with the residual where they go to out without a detour.
fn load_residual(m: u32, n: u32) -> Sums {
  let at = m * params.out_stride + params.out_offset + n;
  return subgroupMatrixLoad<Sums, row_major>(&residual, at, params.out_stride);
}

// A matrix that lies in out as a whole.
fn store_sums(sums: Sums, m: u32, n: u32) {
  let at = m * params.out_stride + params.out_offset + n;
  subgroupMatrixStore<row_major>(&out, at, sums, params.out_stride);
}

// Any other, through workgroup memory that the tiles no longer need; all subgroups together.
fn write_sums(sums: Sums, first_m: u32, first_n: u32, scratch: u32, subgroup_lane: u32) {
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&tiles, scratch, sums, SIDE_QUADS);
  workgroupBarrier();
  for (var i = subgroup_lane; i < SIDE * SIDE_QUADS; i += SUBGROUP_SIZE) {
    let quad = bitcast<vec4<f32>>(tiles[scratch + i]);
    let m = first_m + i / SIDE_QUADS;
    let n = first_n + 4u * (i % SIDE_QUADS);
    if (m < params.M) {
      for (var j = 0u; j < 4u && n + j < params.N; j++) {
        write_output(m, n + j, quad[j]);
      }
    }
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
  // Neighbouring workgroups share their weights.
  let tile = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row_tiles = (params.M + TILE - 1u) / TILE;
  let first_m = (tile % row_tiles) * TILE;
  let first_n = (tile / row_tiles) * TILE;
  if (first_n >= params.N) {
    return;
  }
  // The remainder changes nothing, but shows the compiler that indices are in range.
  let subgroup = subgroup_id % (LANES / SUBGROUP_SIZE);
  let part_m = subgroup / PARTS_N * PART_M;
  let part_n = subgroup % PARTS_N * PART_N;

  let m = first_m + part_m;
  let n = first_n + part_n;
  // Whole matrices may be loaded and stored where 16 bytes are aligned.
  let inside = first_m + TILE <= params.M && first_n + TILE <= params.N;
  let aligned = (params.out_stride | params.out_offset) % 4u == 0u;
  let direct = !HAS_BIAS && inside && aligned;

  var sums_00: Sums;
  var sums_01: Sums;
  var sums_10: Sums;
  var sums_11: Sums;
  var sums_20: Sums;
  var sums_21: Sums;
  var sums_30: Sums;
  var sums_31: Sums;
  if (HAS_RESIDUAL && direct) {
    sums_00 = load_residual(m, n);
    sums_01 = load_residual(m, n + SIDE);
    sums_10 = load_residual(m + SIDE, n);
    sums_11 = load_residual(m + SIDE, n + SIDE);
    if (ROWS == 4u) {
      sums_20 = load_residual(m + 2u * SIDE, n);
      sums_21 = load_residual(m + 2u * SIDE, n + SIDE);
      sums_30 = load_residual(m + 3u * SIDE, n);
      sums_31 = load_residual(m + 3u * SIDE, n + SIDE);
    }
  }

  let row = lane / STEP_OCTETS;
  let octet = lane % STEP_OCTETS;
  let octets = params.K / 8u;
  var x_0 = load_x(first_m + row, octet);
  var x_1 = load_x(first_m + row + HALF, octet);
  var weight_0 = load_weight(first_n + row, octet);
  var weight_1 = load_weight(first_n + row + HALF, octet);
  var buffer = 0u;
  for (var step = 0u; step < octets; step += STEP_OCTETS) {
    let to = buffer + row * ROW + octet;
    tiles[to] = x_halves(x_0);
    tiles[to + HALF * ROW] = x_halves(x_1);
    tiles[to + TILE * ROW] = weight_halves(weight_0);
    tiles[to + (TILE + HALF) * ROW] = weight_halves(weight_1);
    workgroupBarrier();
    // The next vectors travel from memory while this step computes; after the last the same again.
    let next = min(step + STEP_OCTETS, octets - STEP_OCTETS) + octet;
    x_0 = load_x(first_m + row, next);
    x_1 = load_x(first_m + row + HALF, next);
    weight_0 = load_weight(first_n + row, next);
    weight_1 = load_weight(first_n + row + HALF, next);
    for (var k = 0u; k < STEP_OCTETS; k += SIDE / 8u) {
      let right_0 = load_right(part_n, buffer + k);
      let right_1 = load_right(part_n + SIDE, buffer + k);
      let left_0 = load_left(part_m, buffer + k);
      sums_00 = subgroupMatrixMultiplyAccumulate(left_0, right_0, sums_00);
      sums_01 = subgroupMatrixMultiplyAccumulate(left_0, right_1, sums_01);
      let left_1 = load_left(part_m + SIDE, buffer + k);
      sums_10 = subgroupMatrixMultiplyAccumulate(left_1, right_0, sums_10);
      sums_11 = subgroupMatrixMultiplyAccumulate(left_1, right_1, sums_11);
      if (ROWS == 4u) {
        let left_2 = load_left(part_m + 2u * SIDE, buffer + k);
        sums_20 = subgroupMatrixMultiplyAccumulate(left_2, right_0, sums_20);
        sums_21 = subgroupMatrixMultiplyAccumulate(left_2, right_1, sums_21);
        let left_3 = load_left(part_m + 3u * SIDE, buffer + k);
        sums_30 = subgroupMatrixMultiplyAccumulate(left_3, right_0, sums_30);
        sums_31 = subgroupMatrixMultiplyAccumulate(left_3, right_1, sums_31);
      }
    }
    if (BUFFERS == 1u) {
      workgroupBarrier();
    } else {
      buffer = BUFFER - buffer;
    }
  }

  if (direct) {
    store_sums(sums_00, m, n);
    store_sums(sums_01, m, n + SIDE);
    store_sums(sums_10, m + SIDE, n);
    store_sums(sums_11, m + SIDE, n + SIDE);
    if (ROWS == 4u) {
      store_sums(sums_20, m + 2u * SIDE, n);
      store_sums(sums_21, m + 2u * SIDE, n + SIDE);
      store_sums(sums_30, m + 3u * SIDE, n);
      store_sums(sums_31, m + 3u * SIDE, n + SIDE);
    }
    return;
  }
  let scratch = subgroup * SIDE * SIDE_QUADS;
  write_sums(sums_00, m, n, scratch, subgroup_lane);
  write_sums(sums_01, m, n + SIDE, scratch, subgroup_lane);
  write_sums(sums_10, m + SIDE, n, scratch, subgroup_lane);
  write_sums(sums_11, m + SIDE, n + SIDE, scratch, subgroup_lane);
  if (ROWS == 4u) {
    write_sums(sums_20, m + 2u * SIDE, n, scratch, subgroup_lane);
    write_sums(sums_21, m + 2u * SIDE, n + SIDE, scratch, subgroup_lane);
    write_sums(sums_30, m + 3u * SIDE, n, scratch, subgroup_lane);
    write_sums(sums_31, m + 3u * SIDE, n + SIDE, scratch, subgroup_lane);
  }
}
