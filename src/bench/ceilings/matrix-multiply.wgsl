// Products of subgroup matrices of f16 with f32 sums, in registers alone: a subgroup adds the products of
// two left and four right matrices to eight sums, over and over. left[a][m, k] = (7m + 3k + a) % 5 − 2
// and right[b][k, n] = (5k + 2n + b) % 7 − 3, so that sums are whole numbers and no two are the same.
enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);

const M: u32 = 16u; // @param rows of left
const N: u32 = 16u; // @param columns of right
const K: u32 = 16u; // @param columns of left
const SUBGROUP_SIZE: u32 = 32u; // @param lanes
const SUBGROUPS: u32 = 8u;
const LANES: u32 = SUBGROUPS * SUBGROUP_SIZE;
const LEFTS: u32 = 2u;
const RIGHTS: u32 = 4u;

alias Left = subgroup_matrix_left<f16, K, M>;
alias Right = subgroup_matrix_right<f16, N, K>;
alias Sums = subgroup_matrix_result<f32, N, M>;

struct Params {
  iterations: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [subgroups, LEFTS, RIGHTS, M, N]
@group(0) @binding(1) var<uniform> params: Params;

var<workgroup> lefts: array<f16, LEFTS * M * K>;
var<workgroup> rights: array<f16, RIGHTS * K * N>;

fn load_left(a: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&lefts, a * M * K, K);
}

fn load_right(b: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&rights, b * K * N, N);
}

fn store_sums(subgroup: u32, index: u32, sums: Sums) {
  let at = (subgroup * LEFTS * RIGHTS + index) * M * N;
  subgroupMatrixStore<row_major>(&out, at, sums, N);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) subgroup_id: u32,
) {
  for (var i = lane; i < LEFTS * M * K; i += LANES) {
    let m = i / K % M;
    lefts[i] = f16(f32((7u * m + 3u * (i % K) + i / (M * K)) % 5u) - 2.0);
  }
  for (var i = lane; i < RIGHTS * K * N; i += LANES) {
    let k = i / N % K;
    rights[i] = f16(f32((5u * k + 2u * (i % N) + i / (K * N)) % 7u) - 3.0);
  }
  workgroupBarrier();
  let left_0 = load_left(0u);
  let left_1 = load_left(1u);
  let right_0 = load_right(0u);
  let right_1 = load_right(1u);
  let right_2 = load_right(2u);
  let right_3 = load_right(3u);
  var sums_00: Sums;
  var sums_01: Sums;
  var sums_02: Sums;
  var sums_03: Sums;
  var sums_10: Sums;
  var sums_11: Sums;
  var sums_12: Sums;
  var sums_13: Sums;
  for (var i = 0u; i < params.iterations; i++) {
    sums_00 = subgroupMatrixMultiplyAccumulate(left_0, right_0, sums_00);
    sums_01 = subgroupMatrixMultiplyAccumulate(left_0, right_1, sums_01);
    sums_02 = subgroupMatrixMultiplyAccumulate(left_0, right_2, sums_02);
    sums_03 = subgroupMatrixMultiplyAccumulate(left_0, right_3, sums_03);
    sums_10 = subgroupMatrixMultiplyAccumulate(left_1, right_0, sums_10);
    sums_11 = subgroupMatrixMultiplyAccumulate(left_1, right_1, sums_11);
    sums_12 = subgroupMatrixMultiplyAccumulate(left_1, right_2, sums_12);
    sums_13 = subgroupMatrixMultiplyAccumulate(left_1, right_3, sums_13);
  }
  let subgroup = workgroup_id.x * SUBGROUPS + subgroup_id;
  store_sums(subgroup, 0u, sums_00);
  store_sums(subgroup, 1u, sums_01);
  store_sums(subgroup, 2u, sums_02);
  store_sums(subgroup, 3u, sums_03);
  store_sums(subgroup, 4u, sums_10);
  store_sums(subgroup, 5u, sums_11);
  store_sums(subgroup, 6u, sums_12);
  store_sums(subgroup, 7u, sums_13);
}
