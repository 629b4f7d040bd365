// Maximum over a workgroup of WORKGROUP_SIZE lanes (a power of two): a tree in workgroup memory. Every
// lane gets it. Call in uniform control flow. With shared/workgroup-sum.wgsl, which has the size.

var<workgroup> max_partials: array<f32, WORKGROUP_SIZE>;

fn workgroup_max(value: f32, lane: u32) -> f32 {
  max_partials[lane] = value;
  workgroupBarrier();
  for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      max_partials[lane] = max(max_partials[lane], max_partials[lane + stride]);
    }
    workgroupBarrier();
  }
  let highest = max_partials[0];
  // The next call may overwrite the partials only once every lane has read the maximum.
  workgroupBarrier();
  return highest;
}
