// What rows of whole quads are multiplied with in rms_norm: 1 / √(mean over c of x[r, c]² + epsilon). With
// shared/workgroup-sum.wgsl.

struct Params {
  rows: u32,
  quads: u32, // width / 4
  epsilon: f32,
}

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [rows, quads]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [quads]
@group(0) @binding(3) var<uniform> params: Params;

// Of the row whose first quad is `start`, found by all lanes together.
fn scale_of_row(start: u32, lane: u32) -> f32 {
  var squares = vec4<f32>();
  for (var quad = lane; quad < params.quads; quad += WORKGROUP_SIZE) {
    let value = x[start + quad];
    squares += value * value;
  }
  let mean = workgroup_sum(dot(squares, vec4<f32>(1.0)), lane) / f32(4u * params.quads);
  return inverseSqrt(mean + params.epsilon);
}
