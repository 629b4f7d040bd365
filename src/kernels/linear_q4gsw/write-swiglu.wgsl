// What sums of gemm-subgroup-matrix.wgsl become where its columns are gate's and up's: silu(gate) · up as
// halves. The two take turns by the columns of a matrix (prepare-weights.wgsl), so that a subgroup has both
// for its outputs. With shared/octet-halves.wgsl and shared/sigmoid.wgsl.

struct Params {
  M: u32, // live rows of x
  N: u32, // columns: twice the outputs, a multiple of 32
  K: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<u32>>; // f16 [N / 16, M]
@group(0) @binding(3) var<uniform> params: Params;

fn swiglu_quad(gate: vec4<u32>, up: vec4<u32>) -> vec4<f32> {
  let value = bitcast<vec4<f32>>(gate);
  let weight =
    vec4<f32>(sigmoid(value.x), sigmoid(value.y), sigmoid(value.z), sigmoid(value.w));
  return value * weight * bitcast<vec4<f32>>(up);
}

// 16 × 16 outputs, through workgroup memory that the tiles no longer need; all subgroups together. Each
// lane has eight outputs of a row.
fn write_matrix(gate: Sums, up: Sums, place: Place, row: u32, column: u32) {
  let gate_scratch = place.part_n * SIDE * SIDE_QUADS;
  let up_scratch = place.part_m * SIDE * SIDE_QUADS;
  workgroupBarrier();
  subgroupMatrixStore<row_major>(&x_tile[place.part_m], gate_scratch, gate, SIDE_QUADS);
  subgroupMatrixStore<row_major>(&weight_tile[place.part_n], up_scratch, up, SIDE_QUADS);
  workgroupBarrier();
  let side_row = place.subgroup_lane % SIDE;
  let side_octet = place.subgroup_lane / SIDE;
  let at = side_row * SIDE_QUADS + 2u * side_octet;
  let m = place.m + row + side_row;
  let octet = (place.n + column) / (2u * 8u) + side_octet;
  if (m < params.M && octet < params.N / (2u * 8u)) {
    let low = swiglu_quad(
      x_tile[place.part_m][gate_scratch + at],
      weight_tile[place.part_n][up_scratch + at],
    );
    let high = swiglu_quad(
      x_tile[place.part_m][gate_scratch + at + 1u],
      weight_tile[place.part_n][up_scratch + at + 1u],
    );
    out[octet * params.M + m] = octet_halves(low, high);
  }
}

fn write_row(sums: ptr<function, SumsRow>, place: Place, row: u32) {
  write_matrix((*sums).a, (*sums).b, place, row, 0u);
  if (COLUMNS == 4u) {
    write_matrix((*sums).c, (*sums).d, place, row, 2u * SIDE);
  }
}

fn start_sums(sums: ptr<function, SumsPart>, place: Place, inside: bool) {
  // With zeros, as they are.
}

fn finish_sums(sums: ptr<function, SumsPart>, place: Place, inside: bool) {
  write_row(&(*sums).a, place, 0u);
  write_row(&(*sums).b, place, SIDE);
  if (ROWS == 4u) {
    write_row(&(*sums).c, place, 2u * SIDE);
    write_row(&(*sums).d, place, 3u * SIDE);
  }
}
