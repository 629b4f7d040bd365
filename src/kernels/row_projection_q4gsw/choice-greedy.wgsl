// linear-choice.wgsl where only the best token counts.

fn logit_divisor() -> f32 {
  return 1.0;
}

fn keep_key(n: u32, key: u32) {}

fn begin_selection(workgroup: u32, workgroups: u32, lane: u32) {}
