// One invocation a unit of work, with workgroups folded over two grid dimensions.
override WORKGROUP_SIZE: u32 = 64u;

fn invocation_index(workgroup_id: vec3<u32>, num_workgroups: vec3<u32>, lane: u32) -> u32 {
  return (workgroup_id.x + workgroup_id.y * num_workgroups.x) * WORKGROUP_SIZE + lane;
}
