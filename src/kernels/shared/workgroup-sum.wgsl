// Sum over a workgroup of WORKGROUP_SIZE lanes (a power of two), without subgroups: a tree in
// workgroup memory. Every lane gets the sum. Call in uniform control flow.
override WORKGROUP_SIZE: u32 = 64u;
alias SumType = f32; // @param f32 | i32

var<workgroup> sum_partials: array<SumType, WORKGROUP_SIZE>;

fn workgroup_sum(value: SumType, lane: u32) -> SumType {
  sum_partials[lane] = value;
  workgroupBarrier();
  for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
    if (lane < stride) {
      sum_partials[lane] += sum_partials[lane + stride];
    }
    workgroupBarrier();
  }
  let sum = sum_partials[0];
  // The next call may overwrite the partials only once every lane has read the sum.
  workgroupBarrier();
  return sum;
}
