// data[i] = i · 2654435761 modulo 2^32: what read-bandwidth.wgsl adds up.
override WORKGROUP_SIZE: u32 = 256u;

struct Params {
  count: u32, // vectors of data
}

@group(0) @binding(0) var<storage, read_write> data: array<vec4<u32>>; // [count]
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
) {
  for (var i = id.x; i < params.count; i += num_workgroups.x * WORKGROUP_SIZE) {
    data[i] = (4u * i + vec4<u32>(0u, 1u, 2u, 3u)) * 2654435761u;
  }
}
