// One matrix: an item is OUTPUTS neighbouring outputs. With project.wgsl.

const OUTPUTS: u32 = 4u; // @param outputs an item
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
  words: array<vec4<u32>, SUMS>,
  scales: array<f32, SUMS>,
}

fn item_count() -> u32 {
  return (params.N + OUTPUTS - 1u) / OUTPUTS;
}

fn read_weights(item: u32, block: u32) -> Weights {
  let blocks = params.K / 32u;
  var read: Weights;
  for (var r = 0u; r < OUTPUTS; r++) {
    // Past the last output the last one is computed again and not written.
    let n = min(item * OUTPUTS + r, params.N - 1u);
    let scale = n * (blocks / BLOCKS_PER_GROUP) + block / BLOCKS_PER_GROUP;
    read.words[r] = weight[n * blocks + block];
    read.scales[r] = decode_scale(scales[scale_word(scale)], scale);
  }
  return read;
}

fn write_output(item: u32, r: u32, subgroups: u32) {
  let n = item * OUTPUTS + r;
  if (n < params.N) {
    out[params.out_offset + n] = total(r, subgroups);
  }
}
