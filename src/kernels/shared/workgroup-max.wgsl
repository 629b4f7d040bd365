// Maximum over a workgroup of WORKGROUP_SIZE lanes (a power of two): a tree in workgroup memory. Every
// lane gets it. Call in uniform control flow. With shared/workgroup-sum.wgsl, which has the size.
alias MaxType = f32; // @param f32 | i32

var<workgroup> max_partials: array<MaxType, WORKGROUP_SIZE>;

fn workgroup_max(value: MaxType, lane: u32) -> MaxType {
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
