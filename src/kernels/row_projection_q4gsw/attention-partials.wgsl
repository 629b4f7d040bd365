// A row as attention left it, in splits (sdpa-split.wgsl): with the largest of a head's maxima M,
// x = Σ exp2(maximum − M) · partial_out / Σ exp2(maximum − M) · sum. The kernel declares params with the
// number of splits.

const HEADS: u32 = 32u; // @param Hq
const HEAD_QUADS: u32 = 16u; // @param D / 4

const OCTETS: u32 = HEADS * HEAD_QUADS / 2u;

@group(0) @binding(1) var<storage, read> partial_out: array<vec4<f32>>; // [Hq, splits, D / 4]
@group(0) @binding(8) var<storage, read> partial_stats: array<vec2<f32>>; // [splits, Hq]

// One or more splits' part of a quad, and their maximum and sum.
struct Part {
  maximum: f32,
  sum: f32,
  out: vec4<f32>,
}

// Past the last split there is nothing.
fn part_of(quad: u32, split: u32) -> Part {
  let head = quad / HEAD_QUADS;
  let there = min(split, params.splits - 1u);
  let stats = partial_stats[there * HEADS + head];
  let out = partial_out[(head * params.splits + there) * HEAD_QUADS + quad % HEAD_QUADS];
  if (split == there) {
    return Part(stats.x, stats.y, out);
  }
  return Part(stats.x, 0.0, vec4<f32>());
}

fn joined(a: Part, b: Part) -> Part {
  let maximum = max(a.maximum, b.maximum);
  let of_a = exp2(a.maximum - maximum);
  let of_b = exp2(b.maximum - maximum);
  return Part(maximum, of_a * a.sum + of_b * b.sum, of_a * a.out + of_b * b.out);
}
