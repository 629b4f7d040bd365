// apply_rotary_emb_interleaved: each pair of neighbours in x, a complex number, times its factor:
//   out[b, n, 2i]     = x[b, n, 2i] · cos[n, i] − x[b, n, 2i + 1] · sin[n, i]
//   out[b, n, 2i + 1] = x[b, n, 2i] · sin[n, i] + x[b, n, 2i + 1] · cos[n, i]
//
// One invocation a pair; every batch has the same factors. With shared/invocation-index.wgsl.

struct Params {
  count: u32, // pairs of x: B · N · C / 2
  factors: u32, // pairs of freqs: N · C / 2
}

@group(0) @binding(0) var<storage, read_write> out: array<vec2<f32>>; // [B, N, C / 2]
@group(0) @binding(1) var<storage, read> x: array<vec2<f32>>; // [B, N, C / 2]
@group(0) @binding(2) var<storage, read> freqs: array<vec2<f32>>; // [N, C / 2]: cos, sin
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = invocation_index(workgroup_id, num_workgroups, lane);
  if (index >= params.count) {
    return;
  }
  let value = x[index];
  let factor = freqs[index % params.factors];
  out[index] = vec2(
    value.x * factor.x - value.y * factor.y,
    value.x * factor.y + value.y * factor.x,
  );
}
