// linear_q4gsw for many rows of x on subgroup matrices of 16 × 16: f16 operands, f32 sums. A workgroup
// owns TILE_M × TILE_N outputs, each of its subgroups, of 32 lanes, PART_M × PART_N of them. Operands
// pass through workgroup memory, 32 k at a time; with two buffers the next ones are written while these
// are read. Needs K to be a multiple of 32 and the group size one of 16. Operands come from prepare-f16.wgsl,
// or as halves and from prepare-weights.wgsl. With dequantize-f16.wgsl, and a file that declares params and
// says what sums start with and become: write-sums.wgsl.
//
// Tiles are arrays of slabs, so that a matrix lies at a constant place in its slab: implementations then
// need no check that a load is in bounds, and such a check around every load costs a third of the speed.
// For the same reason the loads are written out.
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

const TILE_M: u32 = 128u; // @param divides LANES
const TILE_N: u32 = 128u; // @param up to LANES
const PART_M: u32 = 64u; // @param 32 | 64
const PART_N: u32 = 64u; // @param 32 | 64
const BUFFERS: u32 = 2u; // @param 1 | 2
const LANES: u32 = 128u; // @param 32 · subgroups
const SCALES_PER_BLOCK: u32 = 1u; // @param 2 where groups are of 16

const SUBGROUP_SIZE: u32 = 32u;
const SIDE: u32 = 16u; // of a matrix
const SIDE_QUADS: u32 = SIDE / 4u;
const BLOCK_OCTETS: u32 = 4u; // vectors of 8 k in 32 k
const PARTS_M: u32 = TILE_M / PART_M;
const PARTS_N: u32 = TILE_N / PART_N;
const ROWS: u32 = PART_M / SIDE; // matrices of a subgroup
const COLUMNS: u32 = PART_N / SIDE;
// Vectors of a slab's row: one more than needed, so that neighbouring rows lie in different banks.
const ROW: u32 = BLOCK_OCTETS + 1u;
// Where a slab's matrices begin: the second, third and fourth below the first (of two, the third and
// fourth are never used, but must be places of the slab), and, of each, the one beside it.
const SECOND: u32 = SIDE * ROW;
const X_THIRD: u32 = 2u % ROWS * SECOND;
const X_FOURTH: u32 = 3u % ROWS * SECOND;
const WEIGHT_THIRD: u32 = 2u % COLUMNS * SECOND;
const WEIGHT_FOURTH: u32 = 3u % COLUMNS * SECOND;
const BESIDE: u32 = SIDE / 8u;

@group(0) @binding(1) var<storage, read> scales: array<f16>; // [K / 32 · SCALES_PER_BLOCK, N]
@group(0) @binding(4) var<storage, read> x: array<vec4<u32>>; // f16 [K / 8, M]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>; // [K / 32, N]

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;

// [buffer, part][row of the part, octet]
var<workgroup> x_tile: array<array<vec4<u32>, PART_M * ROW>, BUFFERS * PARTS_M>;
var<workgroup> weight_tile: array<array<vec4<u32>, PART_N * ROW>, BUFFERS * PARTS_N>;

// A row of a subgroup's matrices. Variables, because compilers keep an array of them in memory.
struct SumsRow {
  a: Sums,
  b: Sums,
  c: Sums,
  d: Sums,
}

fn multiply_row(sums: ptr<function, SumsRow>, left: Left, a: Right, b: Right, c: Right, d: Right) {
  (*sums).a = subgroupMatrixMultiplyAccumulate(left, a, (*sums).a);
  (*sums).b = subgroupMatrixMultiplyAccumulate(left, b, (*sums).b);
  if (COLUMNS == 4u) {
    (*sums).c = subgroupMatrixMultiplyAccumulate(left, c, (*sums).c);
    (*sums).d = subgroupMatrixMultiplyAccumulate(left, d, (*sums).d);
  }
}

struct SumsPart {
  a: SumsRow,
  b: SumsRow,
  c: SumsRow,
  d: SumsRow,
}

// A block of 32 k.
fn multiply_block(sums: ptr<function, SumsPart>, x_slab: u32, weight_slab: u32) {
  var a = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], 0u, ROW);
  var b = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], SECOND, ROW);
  var c: Right;
  var d: Right;
  if (COLUMNS == 4u) {
    c = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], WEIGHT_THIRD, ROW);
    d = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], WEIGHT_FOURTH, ROW);
  }
  let left_0 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], 0u, ROW);
  multiply_row(&(*sums).a, left_0, a, b, c, d);
  let left_1 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], SECOND, ROW);
  multiply_row(&(*sums).b, left_1, a, b, c, d);
  if (ROWS == 4u) {
    let left_2 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], X_THIRD, ROW);
    multiply_row(&(*sums).c, left_2, a, b, c, d);
    let left_3 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], X_FOURTH, ROW);
    multiply_row(&(*sums).d, left_3, a, b, c, d);
  }
  a = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], BESIDE, ROW);
  b = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], SECOND + BESIDE, ROW);
  if (COLUMNS == 4u) {
    c = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], WEIGHT_THIRD + BESIDE, ROW);
    d = subgroupMatrixLoad<Right, col_major>(&weight_tile[weight_slab], WEIGHT_FOURTH + BESIDE, ROW);
  }
  let left_4 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], BESIDE, ROW);
  multiply_row(&(*sums).a, left_4, a, b, c, d);
  let left_5 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], SECOND + BESIDE, ROW);
  multiply_row(&(*sums).b, left_5, a, b, c, d);
  if (ROWS == 4u) {
    let left_6 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], X_THIRD + BESIDE, ROW);
    multiply_row(&(*sums).c, left_6, a, b, c, d);
    let left_7 = subgroupMatrixLoad<Left, row_major>(&x_tile[x_slab], X_FOURTH + BESIDE, ROW);
    multiply_row(&(*sums).d, left_7, a, b, c, d);
  }
}

// Of 32 k a lane brings one row of the tile of x, or a part of its vectors where there are more lanes than
// rows, and a row of weights with its scale, or two.
const X_LOADS: u32 = TILE_M * BLOCK_OCTETS / LANES;
const X_LANES: u32 = LANES / TILE_M; // that share a row: each brings every such vector

struct Brought {
  x_0: vec4<u32>,
  x_1: vec4<u32>,
  x_2: vec4<u32>,
  x_3: vec4<u32>,
  words: vec4<u32>,
  scale: f16,
  second_scale: f16,
}

// The rows a lane brings. Past the last they are the last once more; what comes of them is not written.
struct Source {
  x: u32, // its first vector
  n: u32,
}

fn bring(source: Source, lane: u32, block: u32) -> Brought {
  var result: Brought;
  let at = source.x + BLOCK_OCTETS * block * params.M;
  let next = X_LANES * params.M;
  result.x_0 = x[at];
  if (X_LOADS > 1u) {
    result.x_1 = x[at + next];
  }
  if (X_LOADS > 2u) {
    result.x_2 = x[at + 2u * next];
    result.x_3 = x[at + 3u * next];
  }
  if (TILE_N == LANES || lane < TILE_N) {
    result.words = weight[block * params.N + source.n];
    result.scale = scales[SCALES_PER_BLOCK * block * params.N + source.n];
    result.second_scale = result.scale;
    if (SCALES_PER_BLOCK == 2u) {
      result.second_scale = scales[(2u * block + 1u) * params.N + source.n];
    }
  }
  return result;
}

fn stage_x(value: vec4<u32>, lane: u32, load: u32, buffer: u32) {
  let row = lane % TILE_M;
  let octet = lane / TILE_M + load * X_LANES;
  x_tile[buffer * PARTS_M + row / PART_M][row % PART_M * ROW + octet] = value;
}

fn stage(brought: Brought, lane: u32, buffer: u32) {
  stage_x(brought.x_0, lane, 0u, buffer);
  if (X_LOADS > 1u) {
    stage_x(brought.x_1, lane, 1u, buffer);
  }
  if (X_LOADS > 2u) {
    stage_x(brought.x_2, lane, 2u, buffer);
    stage_x(brought.x_3, lane, 3u, buffer);
  }
  if (TILE_N == LANES || lane < TILE_N) {
    let slab = buffer * PARTS_N + lane / PART_N;
    let at = lane % PART_N * ROW;
    let scale = vec2<f16>(brought.scale);
    let second_scale = vec2<f16>(brought.second_scale);
    weight_tile[slab][at] = weight_halves(brought.words.x, scale);
    weight_tile[slab][at + 1u] = weight_halves(brought.words.y, scale);
    weight_tile[slab][at + 2u] = weight_halves(brought.words.z, second_scale);
    weight_tile[slab][at + 3u] = weight_halves(brought.words.w, second_scale);
  }
}

// Where a subgroup's outputs are.
struct Place {
  m: u32,
  n: u32,
  split: u32, // which part of K
  part_m: u32,
  part_n: u32,
  subgroup_lane: u32,
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
  let index = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  let row_tiles = (params.M + TILE_M - 1u) / TILE_M;
  let column_tiles = (params.N + TILE_N - 1u) / TILE_N;
  if (index >= row_tiles * column_tiles) {
    return;
  }
  let first_m = index % row_tiles * TILE_M;
  let first_n = index / row_tiles * TILE_N;
  // The remainder changes nothing, but shows the compiler that indices are in range.
  let subgroup = subgroup_id % (LANES / SUBGROUP_SIZE);
  var place: Place;
  place.part_m = subgroup / PARTS_N;
  place.part_n = subgroup % PARTS_N;
  place.m = first_m + place.part_m * PART_M;
  place.n = first_n + place.part_n * PART_N;
  place.subgroup_lane = subgroup_lane;
  place.split = workgroup_id.z;
  let inside = first_m + TILE_M <= params.M && first_n + TILE_N <= params.N;

  var sums: SumsPart;
  start_sums(&sums, place, inside);

  let source = Source(
    lane / TILE_M * params.M + min(first_m + lane % TILE_M, params.M - 1u),
    min(first_n + lane, params.N - 1u),
  );
  let blocks = params.K / 32u;
  let end = (workgroup_id.z + 1u) * blocks / num_workgroups.z;
  var block = workgroup_id.z * blocks / num_workgroups.z;
  var brought = bring(source, lane, block);
  var buffer = 0u;
  for (; block < end; block++) {
    stage(brought, lane, buffer);
    workgroupBarrier();
    // The next vectors travel from memory while these are multiplied; after the last the same again.
    brought = bring(source, lane, min(block + 1u, end - 1u));
    multiply_block(&sums, buffer * PARTS_M + place.part_m, buffer * PARTS_N + place.part_n);
    if (BUFFERS == 1u) {
      workgroupBarrier();
    } else {
      buffer = 1u - buffer;
    }
  }

  finish_sums(&sums, place, inside);
}
