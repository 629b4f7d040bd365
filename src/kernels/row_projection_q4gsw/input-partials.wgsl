// The row of x as attention left it, in splits (sdpa-split.wgsl): with the largest of a head's maxima
// M, x = Σ exp2(maximum − M) · partial_out / Σ exp2(maximum − M) · sum. Every workgroup joins the
// splits for itself and keeps the row as limbs. With limb-dot.wgsl and limb-words.wgsl.

const HEADS: u32 = 32u; // @param Hq
const HEAD_QUADS: u32 = 16u; // @param D / 4

const OCTETS: u32 = HEADS * HEAD_QUADS / 2u;

@group(0) @binding(1) var<storage, read> partial_out: array<vec4<f32>>; // [Hq, splits, D / 4]
@group(0) @binding(8) var<storage, read> partial_stats: array<vec2<f32>>; // [splits, Hq]

// The row, [5, K / 32, 4]; without squares, as no norm comes between.
var<workgroup> limbs: array<u32, OCTETS * 5u>;

// One split's part of a quad, and its maximum and sum.
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

fn joined_quad(quad: u32) -> vec4<f32> {
  var all = part_of(quad, 0u);
  for (var split = 1u; split < params.splits; split += 2u) {
    // Two at a time hide each other's latency; more would make a kernel that runs once too long to load.
    let a = part_of(quad, split);
    let b = part_of(quad, split + 1u);
    all = joined(all, joined(a, b));
  }
  return all.out / all.sum;
}

fn prepare_input(lane: u32) {
  for (var start = 0u; start < OCTETS; start += WORKGROUP_SIZE) {
    // Past the end the last octets are computed again and not kept.
    let octet = min(start + lane, OCTETS - 1u);
    let words = limb_words(joined_quad(2u * octet), joined_quad(2u * octet + 1u), 0.0, octet);
    if (start + lane < OCTETS) {
      limbs[octet] = words.high_even;
      limbs[OCTETS + octet] = words.high_odd;
      limbs[2u * OCTETS + octet] = words.low_even;
      limbs[3u * OCTETS + octet] = words.low_odd;
      limbs[4u * OCTETS + octet] = words.rest;
    }
  }
  workgroupBarrier();
}

fn four_words(at: u32) -> vec4<u32> {
  return vec4<u32>(limbs[at], limbs[at + 1u], limbs[at + 2u], limbs[at + 3u]);
}

fn read_input(block: u32) -> Input {
  let word = block * 4u;
  return Input(
    four_words(word),
    four_words(OCTETS + word),
    four_words(2u * OCTETS + word),
    four_words(3u * OCTETS + word),
    bitcast<vec2<f32>>(vec2<u32>(limbs[4u * OCTETS + word], limbs[4u * OCTETS + word + 2u])),
    0.0,
  );
}
