// The product of a row and linear-matrix.wgsl.

// Nothing is needed beside the sums.
alias Early = u32;
alias Before = u32;

fn read_early(item: u32) -> Early {
  return item;
}

fn read_before(early: Early, item: u32) -> Before {
  return early;
}

fn write_output(before: Before, item: u32, r: u32, subgroups: u32) {
  let n = item * OUTPUTS + r;
  if (n < params.N) {
    out[params.out_offset + n] = total(r, subgroups);
  }
}

fn finish_items(workgroup: u32, workgroups: u32, lane: u32) {}
