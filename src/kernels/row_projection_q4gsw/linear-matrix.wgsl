// One matrix: an item is OUTPUTS neighbouring outputs. With project.wgsl, and linear.wgsl or
// linear-choice.wgsl, which say where its sums go.

const OUTPUTS: u32 = 4u; // @param outputs an item: divides 32
const SUMS: u32 = OUTPUTS;

struct Params {
  K: u32,
  epsilon: f32, // of rms_norm
  N: u32, // outputs of this shard
  out_offset: u32, // the shard's first element of out
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(3) var<storage, read> scales: array<u32>; // [N, K / group], f32 or packed f16
@group(0) @binding(4) var<uniform> params: Params;

struct Weights {
  first: array<vec4<u32>, SUMS>, // of each row, the step's first block
  second: array<vec4<u32>, SUMS>,
  scales: array<vec2<f32>, SUMS>,
}

fn item_count() -> u32 {
  return (params.N + OUTPUTS - 1u) / OUTPUTS;
}

fn read_weights(item: u32, block: u32) -> Weights {
  var read: Weights;
  for (var r = 0u; r < OUTPUTS; r++) { // @unroll
    // Past the last output the last one is computed again and not written.
    let n = min(item * OUTPUTS + r, params.N - 1u);
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
