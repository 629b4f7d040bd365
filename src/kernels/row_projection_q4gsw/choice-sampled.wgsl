// linear-choice.wgsl where tokens are sampled: what the sampler's later steps read, as sampler-prepare.wgsl
// leaves it.

const HISTOGRAM_WORDS: u32 = 4096u; // @param

@group(0) @binding(8) var<storage, read_write> keys: array<u32>; // [N]
@group(0) @binding(9) var<storage, read_write> histograms: array<u32>; // [HISTOGRAM_WORDS]

fn logit_divisor() -> f32 {
  return temperature_divisor(bitcast<f32>(sampling[TEMPERATURE]));
}

fn keep_key(n: u32, key: u32) {
  keys[n] = key;
}

fn begin_selection(workgroup: u32, workgroups: u32, lane: u32) {
  let stride = workgroups * WORKGROUP_SIZE;
  for (var i = workgroup * WORKGROUP_SIZE + lane; i < HISTOGRAM_WORDS; i += stride) {
    histograms[i] = 0u;
  }
}
