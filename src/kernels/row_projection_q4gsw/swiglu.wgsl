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
    let word = scale_word(scale);
    let next = next_scale_word(scale);
    read.first[r] = gate[at];
    read.scales[r] = decode_scales(gate_scales[word], gate_scales[next], scale);
    read.first[OUTPUTS + r] = up[at];
    if (STEP == 2u) {
      read.second[r] = gate[at + 1u];
      read.second[OUTPUTS + r] = up[at + 1u];
    }
    read.scales[OUTPUTS + r] = decode_scales(up_scales[word], up_scales[next], scale);
  }
  return read;
}

// Nothing is needed beside the sums.
alias Early = u32;
alias Before = u32;

fn read_early(item: u32) -> Early {
  return item;
}

fn read_before(early: Early, item: u32) -> Before {
  return early;
}

fn write_output(before: Before, item: u32, r: u32, subgroups: u32) {
  let n = item * OUTPUTS + r;
  if (n < params.N) {
    let gated = total(r, subgroups);
    out[n] = gated * sigmoid(gated) * total(OUTPUTS + r, subgroups);
  }
}

fn finish_items(workgroup: u32, workgroups: u32, lane: u32) {}
