// Dot products of four signed bytes with an addend, in registers alone: eight independent chains a lane.
// WGSL's language feature packed_4x8_integer_dot_product is needed.
requires packed_4x8_integer_dot_product;
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
  iterations: u32,
  factor: u32, // four bytes
  addend: i32,
}

@group(0) @binding(0) var<storage, read_write> out: array<i32>; // [lanes]
@group(0) @binding(1) var<uniform> params: Params;

fn step(x: i32) -> i32 {
  return dot4I8Packed(bitcast<u32>(x), params.factor) + params.addend;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let start = i32(id.x % 8u);
  var a = start;
  var b = start + 1;
  var c = start + 2;
  var d = start + 3;
  var e = start + 4;
  var f = start + 5;
  var g = start + 6;
  var h = start + 7;
  for (var i = 0u; i < params.iterations; i++) {
    a = step(a);
    b = step(b);
    c = step(c);
    d = step(d);
    e = step(e);
    f = step(f);
    g = step(g);
    h = step(h);
    a = step(a);
    b = step(b);
    c = step(c);
    d = step(d);
    e = step(e);
    f = step(f);
    g = step(g);
    h = step(h);
  }
  out[id.x] = a + b + c + d + e + f + g + h;
}
