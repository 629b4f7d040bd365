// What all kernels of linear_q4gsw share: out[m, n] = Σ over k of x[m, k] · (nibble[n, k] − 8) ·
// scale[n, k / group] + bias[n] + residual[m, n]. Each kernel declares x and weight with the element types
// it loads, and its scales.

struct Params {
  M: u32, // live rows of x
  N: u32, // outputs of this shard
  K: u32,
  out_stride: u32, // row length of out
  out_offset: u32, // the shard's first column of out
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [M, out_stride]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [≥ N]; something else without HAS_BIAS
@group(0) @binding(3) var<uniform> params: Params;
@group(0) @binding(6) var<storage, read> residual: array<f32>; // like out; something else without it

const HAS_BIAS: bool = false; // @param
const HAS_RESIDUAL: bool = false; // @param

fn write_output(m: u32, n: u32, sum: f32) {
  var value = sum;
  if (HAS_BIAS) {
    value += bias[n];
  }
  let at = m * params.out_stride + params.out_offset + n;
  if (HAS_RESIDUAL) {
    value += residual[at];
  }
  out[at] = value;
}
