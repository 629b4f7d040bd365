// A row as attention left it, in splits (sdpa-split.wgsl): with the largest of a head's maxima M,
// x = Σ exp2(maximum − M) · partial_out / Σ exp2(maximum − M) · sum. The kernel declares params with the
// number of splits. With shared/limb-words.wgsl.

const HEADS: u32 = 32u; // @param Hq
const HEAD_OCTETS: u32 = 8u; // @param D / 8

const OCTETS: u32 = HEADS * HEAD_OCTETS;

@group(0) @binding(1) var<storage, read> partial_out: array<vec4<f32>>; // [Hq, splits, D / 4]
@group(0) @binding(8) var<storage, read> partial_stats: array<vec2<f32>>; // [splits, Hq]

// One or more splits' part of an octet, and their maximum and sum.
struct Part {
  maximum: f32,
  sum: f32,
  first: vec4<f32>,
  second: vec4<f32>,
}

// Past the last split there is nothing.
fn part_of(octet: u32, split: u32) -> Part {
  let head = octet / HEAD_OCTETS;
  let there = min(split, params.splits - 1u);
  let stats = partial_stats[there * HEADS + head];
  let at = 2u * ((head * params.splits + there) * HEAD_OCTETS + octet % HEAD_OCTETS);
  let first = partial_out[at];
  let second = partial_out[at + 1u];
  if (split == there) {
    return Part(stats.x, stats.y, first, second);
  }
  return Part(stats.x, 0.0, vec4<f32>(), vec4<f32>());
}

fn joined(a: Part, b: Part) -> Part {
  let maximum = max(a.maximum, b.maximum);
  let of_a = exp2(a.maximum - maximum);
  let of_b = exp2(b.maximum - maximum);
  return Part(
    maximum,
    of_a * a.sum + of_b * b.sum,
    of_a * a.first + of_b * b.first,
    of_a * a.second + of_b * b.second,
  );
}

// An octet of which all splits are joined, as limbs; without squares, as no norm comes between.
fn part_words(part: Part, octet: u32) -> LimbWords {
  let factor = 1.0 / part.sum;
  return limb_words(factor * part.first, factor * part.second, 0.0, octet);
}
