// q, k and v as they come from qkv-matrix.wgsl.

struct Params {
  K: u32,
  epsilon: f32, // of rms_norm
  q_rows: u32,
  k_rows: u32,
  v_rows: u32,
}

@group(0) @binding(0) var<storage, read_write> q_out: array<f32>; // [q_rows]
@group(0) @binding(5) var<storage, read_write> k_out: array<f32>; // [k_rows]
@group(0) @binding(6) var<storage, read_write> v_out: array<f32>; // [v_rows]

fn row_of(place: Place, r: u32) -> u32 {
  return place.item * OUTPUTS + r;
}

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
  let place = place_of(item);
  let n = row_of(place, r);
  if (n >= place.rows) {
    return;
  }
  let sum = total(r, subgroups);
  switch (place.part) {
    case 0u: {
      q_out[n] = sum;
    }
    case 1u: {
      k_out[n] = sum;
    }
    default: {
      v_out[n] = sum;
    }
  }
}

fn finish_items(workgroup: u32, workgroups: u32, lane: u32) {}
