// Brings tiles of x and of dequantised weights into workgroup memory as f16, STEP along K at a time,
// for kernels that multiply in half precision. Eight k lie in one vector, as four pairs k and k + 4 —
// the order in which a word's nibbles come out in pairs. Both operands have it, so sums over k do not
// notice. With operands.wgsl; needs K to be a multiple of STEP and the group size one of 8.

const TILE_M: u32 = 128u; // @param
const TILE_N: u32 = 128u; // @param
const STEP: u32 = 32u; // @param
const LANES: u32 = 256u; // @param
const BUFFERS: u32 = 1u; // @param 2 where both fit: the next tile is written while one is read
const WORDS_PER_GROUP: u32 = 4u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(5) var<storage, read> weight: array<u32>; // [N, K / 8]

const OCTETS: u32 = STEP / 8u;
// One more than needed, so that rows begin at different banks.
const ROW: u32 = OCTETS + 1u;
const BUFFER: u32 = (TILE_M + TILE_N) * ROW;
const X_LOADS: u32 = TILE_M * OCTETS / LANES;
const WEIGHT_LOADS: u32 = TILE_N * OCTETS / LANES;
const F16_MAX: f32 = 65504.0;

// In each buffer TILE_M rows of x, then TILE_N of weights.
var<workgroup> tiles: array<vec4<u32>, BUFFERS * BUFFER>;

// A lane's part of the next tiles, as it came from memory.
struct Staged {
  x_low: array<vec4<f32>, X_LOADS>,
  x_high: array<vec4<f32>, X_LOADS>,
  words: array<u32, WEIGHT_LOADS>,
  scales: array<f32, WEIGHT_LOADS>,
}

// Rows past the last are the last once more; what comes of them is not written.
fn load_tiles(first_m: u32, first_n: u32, first_octet: u32, lane: u32) -> Staged {
  var staged: Staged;
  let octets = params.K / 8u;
  for (var i = 0u; i < X_LOADS; i++) {
    let at = lane + i * LANES;
    let m = min(first_m + at / OCTETS, params.M - 1u);
    let octet = m * octets + first_octet + at % OCTETS;
    staged.x_low[i] = x[2u * octet];
    staged.x_high[i] = x[2u * octet + 1u];
  }
  for (var i = 0u; i < WEIGHT_LOADS; i++) {
    let at = lane + i * LANES;
    let n = min(first_n + at / OCTETS, params.N - 1u);
    let octet = first_octet + at % OCTETS;
    staged.words[i] = weight[n * octets + octet];
    staged.scales[i] = read_scale(n * (octets / WORDS_PER_GROUP) + octet / WORDS_PER_GROUP);
  }
  return staged;
}

// What half precision cannot hold becomes its largest value rather than an infinity.
fn half_pair(low: f32, high: f32) -> u32 {
  let pair = clamp(vec2<f32>(low, high), vec2<f32>(-F16_MAX), vec2<f32>(F16_MAX));
  return bitcast<u32>(vec2<f16>(pair));
}

// Two nibbles become the low bits of 1024 + nibble, which f16 holds exactly.
fn weight_pair(nibbles: u32, scale: vec2<f16>) -> u32 {
  let raised = bitcast<vec2<f16>>((nibbles & 0x000f000fu) | 0x64006400u);
  return bitcast<u32>((raised - vec2<f16>(1032.0h)) * scale);
}

fn store_tiles(staged: Staged, buffer: u32, lane: u32) {
  for (var i = 0u; i < X_LOADS; i++) {
    let at = lane + i * LANES;
    let low = staged.x_low[i];
    let high = staged.x_high[i];
    tiles[buffer * BUFFER + at / OCTETS * ROW + at % OCTETS] = vec4<u32>(
      half_pair(low.x, high.x),
      half_pair(low.y, high.y),
      half_pair(low.z, high.z),
      half_pair(low.w, high.w),
    );
  }
  for (var i = 0u; i < WEIGHT_LOADS; i++) {
    let at = lane + i * LANES;
    let word = staged.words[i];
    let scale = vec2<f16>(f16(staged.scales[i]));
    tiles[buffer * BUFFER + (TILE_M + at / OCTETS) * ROW + at % OCTETS] = vec4<u32>(
      weight_pair(word, scale),
      weight_pair(word >> 4u, scale),
      weight_pair(word >> 8u, scale),
      weight_pair(word >> 12u, scale),
    );
  }
}
