// linear_q4gsw for adapters that compute on a CPU: a lane owns one output of ROWS rows of x and runs
// through K alone, a block of 32 weights (16 bytes) at a time. No workgroup memory, no barriers, and
// neighbouring lanes read the same x. Needs K and the group size to be multiples of 32. With
// operands.wgsl.

override WORKGROUP_SIZE: u32 = 64u;

const ROWS: u32 = 4u; // @param rows of x a lane
const BLOCKS_PER_GROUP: u32 = 1u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>; // [N, K / 32]

fn nibbles(bytes: u32) -> vec4<f32> {
  let shifted = vec4<u32>(bytes, bytes >> 8u, bytes >> 16u, bytes >> 24u);
  return vec4<f32>(shifted & vec4<u32>(15u)) - 8.0;
}

fn compute(n: u32, first_m: u32) {
  let blocks = params.K / 32u;
  let groups = blocks / BLOCKS_PER_GROUP;
  var starts = array<u32, ROWS>();
  for (var r = 0u; r < ROWS; r++) {
    // Past the last row the last one is computed again and not written.
    starts[r] = min(first_m + r, params.M - 1u) * blocks * 8u;
  }
  var sums = array<f32, ROWS>();
  for (var block = 0u; block < blocks; block++) {
    let words = weight[n * blocks + block];
    let scale = read_scale(n * groups + block / BLOCKS_PER_GROUP);
    var block_sums = array<f32, ROWS>();
    for (var i = 0u; i < 4u; i++) {
      // The low nibbles of a word's bytes are its even k, the high ones its odd k.
      let even = nibbles(words[i]);
      let odd = nibbles(words[i] >> 4u);
      let first_weights = vec4<f32>(even.x, odd.x, even.y, odd.y);
      let second_weights = vec4<f32>(even.z, odd.z, even.w, odd.w);
      for (var r = 0u; r < ROWS; r++) {
        let at_x = starts[r] + block * 8u + 2u * i;
        block_sums[r] += dot(x[at_x], first_weights) + dot(x[at_x + 1u], second_weights);
      }
    }
    for (var r = 0u; r < ROWS; r++) {
      sums[r] += block_sums[r] * scale;
    }
  }
  for (var r = 0u; r < ROWS && first_m + r < params.M; r++) {
    write_output(first_m + r, n, sums[r]);
  }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = params.N * ((params.M + ROWS - 1u) / ROWS);
  let stride = num_workgroups.x * WORKGROUP_SIZE;
  for (var at = workgroup_id.x * WORKGROUP_SIZE + lane; at < tiles; at += stride) {
    compute(at % params.N, ROWS * (at / params.N));
  }
}
