// sdpa_with_kv_cache for one query row, second of two steps: with the largest of the splits'
// maxima M and the weights w = exp2(maximum − M) · sum, out = Σ w · partial_out / Σ w.
//
// One workgroup a query head: a lane owns a quad of the head and every parts-th split, parts = ⌊lanes / quads⌋.

const MAX_SPLITS: u32 = 64u;
const WORKGROUP_SIZE: u32 = 128u;
const MASKED: f32 = -1e30;

struct Params {
  heads: u32,
  head_quads: u32, // D / 4, at most WORKGROUP_SIZE
  splits: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>; // [Hq, D / 4]
@group(0) @binding(1) var<storage, read> partial_out: array<vec4<f32>>; // [Hq, splits, D / 4]
@group(0) @binding(2) var<storage, read> partial_stats: array<vec2<f32>>; // [splits, Hq]
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> stats: array<vec2<f32>, MAX_SPLITS>;
var<workgroup> part_out: array<vec4<f32>, WORKGROUP_SIZE>;

fn weight_of(split: u32, maximum: f32) -> f32 {
  return exp2(stats[split].x - maximum) * stats[split].y;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3<u32>,
  @builtin(num_workgroups) num_workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let head = workgroup_id.x + workgroup_id.y * num_workgroups.x;
  if (head >= params.heads) {
    return;
  }
  let splits = min(params.splits, MAX_SPLITS);
  for (var split = lane; split < splits; split += WORKGROUP_SIZE) {
    stats[split] = partial_stats[split * params.heads + head];
  }
  workgroupBarrier();
  var maximum = MASKED;
  for (var split = 0u; split < splits; split++) {
    maximum = max(maximum, stats[split].x);
  }
  let quad = lane % params.head_quads;
  let parts = WORKGROUP_SIZE / params.head_quads;
  let part = lane / params.head_quads;
  var sum = vec4<f32>();
  if (part < parts) {
    for (var split = part; split < splits; split += parts) {
      let row = (head * params.splits + split) * params.head_quads;
      sum += weight_of(split, maximum) * partial_out[row + quad];
    }
  }
  part_out[lane] = sum;
  workgroupBarrier();
  if (lane < params.head_quads) {
    var total = 0.0;
    for (var split = 0u; split < splits; split++) {
      total += weight_of(split, maximum);
    }
    for (var p = 1u; p < parts; p++) {
      sum += part_out[p * params.head_quads + quad];
    }
    out[head * params.head_quads + quad] = sum / total;
  }
}
