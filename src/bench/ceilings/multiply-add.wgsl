// Fused multiply-adds in f32, in registers alone: four independent vectors a lane, so that none waits
// for its own result. Factor and addend are 1, which compilers cannot know: results are exact.
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
  iterations: u32,
  factor: f32,
  addend: f32,
}

@group(0) @binding(0) var<storage, read_write> out: array<f32>; // [lanes]
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = vec4(params.factor);
  let addend = vec4(params.addend);
  var a = vec4(f32(id.x % 8u));
  var b = a + 1.0;
  var c = a + 2.0;
  var d = a + 3.0;
  for (var i = 0u; i < params.iterations; i++) {
    a = fma(a, factor, addend);
    b = fma(b, factor, addend);
    c = fma(c, factor, addend);
    d = fma(d, factor, addend);
    a = fma(a, factor, addend);
    b = fma(b, factor, addend);
    c = fma(c, factor, addend);
    d = fma(d, factor, addend);
  }
  out[id.x] = dot(a + b + c + d, vec4(1.0));
}
