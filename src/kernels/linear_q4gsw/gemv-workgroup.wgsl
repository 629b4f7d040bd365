// linear_q4gsw for one row of x, without subgroups. A workgroup owns OUTPUTS outputs at a time and
// strides over the grid; its lanes stride over K (dot-blocks.wgsl or dot-words.wgsl), then add up in
// workgroup memory: CHUNKS lanes an output, then one. Two steps, because barriers cost more than the
// few additions a deeper tree would save. WORKGROUP_SIZE is a multiple of CHUNKS, and at least
// CHUNKS · OUTPUTS.

override WORKGROUP_SIZE: u32 = 64u;

const CHUNKS: u32 = 8u;

var<workgroup> lane_sums: array<f32, WORKGROUP_SIZE * OUTPUTS>;
var<workgroup> chunk_sums: array<f32, CHUNKS * OUTPUTS>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  for (
    var first_output = workgroup_id.x * OUTPUTS;
    first_output < params.N;
    first_output += num_workgroups.x * OUTPUTS
  ) {
    let partial = partial_dots(first_output, lane, WORKGROUP_SIZE);
    for (var r = 0u; r < OUTPUTS; r++) {
      lane_sums[lane * OUTPUTS + r] = partial[r];
    }
    workgroupBarrier();
    if (lane < CHUNKS * OUTPUTS) {
      var sum = 0.0;
      for (var i = lane; i < WORKGROUP_SIZE * OUTPUTS; i += CHUNKS * OUTPUTS) {
        sum += lane_sums[i];
      }
      chunk_sums[lane] = sum;
    }
    workgroupBarrier();
    if (lane < OUTPUTS && first_output + lane < params.N) {
      var sum = 0.0;
      for (var i = 0u; i < CHUNKS; i++) {
        sum += chunk_sums[i * OUTPUTS + lane];
      }
      write_output(0u, first_output + lane, sum);
    }
    // The barrier after the next lane_sums keeps chunk_sums until all are read: a lane that writes
    // chunk_sums has passed it together with those that read here.
  }
}
