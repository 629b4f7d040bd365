// linear_q4gsw for many rows of x on subgroup matrices: f16 operands, f32 sums. A workgroup owns
// TILE_M × TILE_N outputs, each of its SUBGROUPS_M × SUBGROUPS_N subgroups an equal part of them. With
// operands.wgsl and tiles-f16.wgsl; needs subgroups of exactly SUBGROUP_SIZE lanes.
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

const SUBGROUP_SIZE: u32 = 32u; // @param LANES / (SUBGROUPS_M · SUBGROUPS_N)
const SUBGROUPS_M: u32 = 2u; // @param
const SUBGROUPS_N: u32 = 4u; // @param
const MATRIX_M: u32 = 16u; // @param
const MATRIX_N: u32 = 16u; // @param
const MATRIX_K: u32 = 16u; // @param

const PART_M: u32 = TILE_M / SUBGROUPS_M;
const PART_N: u32 = TILE_N / SUBGROUPS_N;
const ROWS: u32 = PART_M / MATRIX_M;
const COLUMNS: u32 = PART_N / MATRIX_N;
// Vectors of four columns in a matrix of sums.
const SUM_QUADS: u32 = MATRIX_N / 4u;

alias Left = subgroup_matrix_left<f16, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<f16, MATRIX_N, MATRIX_K>;
alias Sums = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

// Four neighbouring sums, as far as they lie in out.
fn write_quad(m: u32, n: u32, sums: vec4<f32>) {
  if (m < params.M) {
    for (var i = 0u; i < 4u && n + i < params.N; i++) {
      write_output(m, n + i, sums[i]);
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
  let row_tiles = (params.M + TILE_M - 1u) / TILE_M;
  let first_m = (tile % row_tiles) * TILE_M;
  let first_n = (tile / row_tiles) * TILE_N;
  if (first_n >= params.N) {
    return;
  }
  // The remainders change nothing, but show the compiler that indices are in range.
  let subgroup = subgroup_id % (SUBGROUPS_M * SUBGROUPS_N);
  let part_m = subgroup / SUBGROUPS_N * PART_M;
  let part_n = subgroup % SUBGROUPS_N * PART_N;

  var sums: array<array<Sums, COLUMNS>, ROWS>;
  let octets = params.K / 8u;
  var staged = load_tiles(first_m, first_n, 0u, lane);
  var buffer = 0u;
  for (var octet = 0u; octet < octets; octet += OCTETS) {
    store_tiles(staged, buffer, lane);
    workgroupBarrier();
    // The next step's vectors travel from memory while this step computes; after the last step the
    // same once more.
    staged = load_tiles(first_m, first_n, min(octet + OCTETS, octets - OCTETS), lane);
    for (var k = 0u; k < OCTETS; k += MATRIX_K / 8u) {
      var rights: array<Right, COLUMNS>;
      for (var c = 0u; c < COLUMNS; c++) {
        let row = TILE_M + part_n + c * MATRIX_N;
        rights[c] = subgroupMatrixLoad<Right, col_major>(&tiles, buffer * BUFFER + row * ROW + k, ROW);
      }
      for (var r = 0u; r < ROWS; r++) {
        let row = part_m + r * MATRIX_M;
        let left = subgroupMatrixLoad<Left, row_major>(&tiles, buffer * BUFFER + row * ROW + k, ROW);
        for (var c = 0u; c < COLUMNS; c++) {
          sums[r][c] = subgroupMatrixMultiplyAccumulate(left, rights[c], sums[r][c]);
        }
      }
    }
    if (BUFFERS == 1u) {
      workgroupBarrier();
    } else {
      buffer = 1u - buffer;
    }
  }

  // Matrices may be stored where 16 bytes are aligned.
  let inside = first_m + TILE_M <= params.M && first_n + TILE_N <= params.N;
  let aligned = (params.out_stride | params.out_offset) % 4u == 0u;
  if (!HAS_BIAS && inside && aligned) {
    for (var r = 0u; r < ROWS; r++) {
      for (var c = 0u; c < COLUMNS; c++) {
        let m = first_m + part_m + r * MATRIX_M;
        let n = first_n + part_n + c * MATRIX_N;
        let at = m * params.out_stride + params.out_offset + n;
        subgroupMatrixStore<row_major>(&out, at, sums[r][c], params.out_stride);
      }
    }
    return;
  }
  // Elsewhere they go through workgroup memory, which the tiles no longer need.
  let scratch = subgroup * MATRIX_M * SUM_QUADS;
  for (var r = 0u; r < ROWS; r++) {
    for (var c = 0u; c < COLUMNS; c++) {
      workgroupBarrier();
      subgroupMatrixStore<row_major>(&tiles, scratch, sums[r][c], SUM_QUADS);
      workgroupBarrier();
      for (var i = subgroup_lane; i < MATRIX_M * SUM_QUADS; i += SUBGROUP_SIZE) {
        let m = first_m + part_m + r * MATRIX_M + i / SUM_QUADS;
        let n = first_n + part_n + c * MATRIX_N + 4u * (i % SUM_QUADS);
        write_quad(m, n, bitcast<vec4<f32>>(tiles[scratch + i]));
      }
    }
  }
}
