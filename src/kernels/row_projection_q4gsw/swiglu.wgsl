// Two matrices and SwiGLU: out[n] = silu(gate[n] · x) · (up[n] · x). An item is OUTPUTS neighbouring
// outputs: their rows of the one matrix, then of the other. With project.wgsl and shared/sigmoid.wgsl.

const OUTPUTS: u32 = 2u; // @param outputs an item
const SUMS: u32 = 2u * OUTPUTS;

struct Params {
  K: u32,
  epsilon: f32, // of rms_norm
  N: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [N]
@group(0) @binding(2) var<storage, read> gate: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(3) var<storage, read> gate_scales: array<u32>; // [N, K / group]
@group(0) @binding(4) var<uniform> params: Params;
@group(0) @binding(5) var<storage, read> up: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(6) var<storage, read> up_scales: array<u32>; // [N, K / group]

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
    read.words[r] = gate[n * blocks + block];
    read.scales[r] = decode_scale(gate_scales[scale_word(scale)], scale);
    read.words[OUTPUTS + r] = up[n * blocks + block];
    read.scales[OUTPUTS + r] = decode_scale(up_scales[scale_word(scale)], scale);
  }
  return read;
}

fn write_output(item: u32, r: u32, subgroups: u32) {
  let n = item * OUTPUTS + r;
  if (n < params.N) {
    let gated = total(r, subgroups);
    out[n] = gated * sigmoid(gated) * total(OUTPUTS + r, subgroups);
  }
}
