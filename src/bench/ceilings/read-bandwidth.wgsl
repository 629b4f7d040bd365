// Sum of all words of data, each read once: how fast the device reads. The lanes of the grid stride
// over the vectors, four loads at a time; count is a multiple of four times the lanes.
const LOADS: u32 = 4u;
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
  count: u32, // vectors of data
}

@group(0) @binding(0) var<storage, read_write> sums: array<u32>; // [lanes], modulo 2^32
@group(0) @binding(1) var<storage, read> data: array<vec4<u32>>; // [count]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
) {
  let lanes = num_workgroups.x * WORKGROUP_SIZE;
  var sum = vec4<u32>();
  for (var i = id.x; i < params.count; i += LOADS * lanes) {
    let a = data[i];
    let b = data[i + lanes];
    let c = data[i + 2u * lanes];
    let d = data[i + 3u * lanes];
    sum += a + b + c + d;
  }
  sums[id.x] = sum.x + sum.y + sum.z + sum.w;
}
