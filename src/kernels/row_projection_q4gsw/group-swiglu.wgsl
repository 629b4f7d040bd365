// Two matrices and SwiGLU: the limbs of silu(gate · x) · (up · x). With project-groups.wgsl and
// shared/sigmoid.wgsl.

const MATRICES: u32 = 2u;

struct Params {
  N: u32,
  blocks: u32, // K / 32
  epsilon: f32, // of x's rms_norm
}

@group(0) @binding(2) var<storage, read> gate: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(3) var<storage, read> gate_scales: array<u32>; // [N, K / group]
@group(0) @binding(5) var<storage, read> up: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(6) var<storage, read> up_scales: array<u32>; // [N, K / group]

fn read_weights(first_row: u32, block: u32) -> Weights {
  var read: Weights;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    let n = first_row + r;
    let at = n * block_count() + block;
    let scale = scale_index(n, block);
    let word = scale_word(scale);
    let next = next_scale_word(scale);
    read.first[r] = gate[at];
    read.scales[r] = decode_scales(gate_scales[word], gate_scales[next], scale);
    read.first[ROWS + r] = up[at];
    if (STEP == 2u) {
      read.second[r] = gate[at + 1u];
      read.second[ROWS + r] = up[at + 1u];
    }
    read.scales[ROWS + r] = decode_scales(up_scales[word], up_scales[next], scale);
  }
  return read;
}

// Nothing is needed beside the products.
alias Before = u32;

fn read_before(n: u32) -> Before {
  return n;
}

fn finish_output(before: Before, n: u32, output: u32, subgroups: u32) {
  let gated = product(output, 0u, subgroups);
  outputs[output] = gated * sigmoid(gated) * product(output, 1u, subgroups);
}
