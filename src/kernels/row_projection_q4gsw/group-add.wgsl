// One matrix and a residual: out = weight · x + residual, and its limbs. With project-groups.wgsl.

const MATRICES: u32 = 1u;

struct Params {
  N: u32,
  blocks: u32, // K / 32
  epsilon: f32, // of x's rms_norm
  splits: u32, // of x, where that is attention's
}

@group(0) @binding(2) var<storage, read> weight: array<vec4<u32>>; // [N, K / 32]
@group(0) @binding(3) var<storage, read> scales: array<u32>; // [N, K / group]
@group(0) @binding(5) var<storage, read> residual: array<f32>; // [N]
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // [N]
@group(0) @binding(7) var<storage, read> next_norm: array<f32>; // [N]; residual without NORM_NEXT

fn read_weights(first_row: u32, block: u32) -> Weights {
  var read: Weights;
  for (var r = 0u; r < ROWS; r++) { // @unroll
    let at = (first_row + r) * block_count() + block;
    let scale = scale_index(first_row + r, block);
    read.first[r] = weight[at];
    if (STEP == 2u) {
      read.second[r] = weight[at + 1u];
    }
    read.scales[r] =
      decode_scales(scales[scale_word(scale)], scales[next_scale_word(scale)], scale);
  }
  return read;
}

// What an output needs beside its product.
struct Before {
  residual: f32,
  next_weight: f32,
}

fn read_before(n: u32) -> Before {
  if (NORM_NEXT) {
    return Before(residual[n], next_norm[n]);
  }
  return Before(residual[n], 1.0);
}

fn finish_output(before: Before, n: u32, output: u32, subgroups: u32) {
  let value = product(output, 0u, subgroups) + before.residual;
  out[n] = value;
  outputs[output] = value;
  next_weights[output] = before.next_weight;
}
