// Brings a tile of x and one of dequantised weights into workgroup memory as f16, 32 k at a time, for
// kernels that multiply in half precision. Eight k lie in one vector, as four pairs k and k + 4: the
// order in which a word's nibbles come out in pairs. Both operands have it, so sums over k do not
// notice. Each of the kernel's 2 · TILE lanes brings two vectors of each; the kernel declares TILE. With
// operands.wgsl; needs K to be a multiple of 32 and the group size one of 8.

const BUFFERS: u32 = 1u; // @param 2 where both fit: the next tiles are written while these are read
const WORDS_PER_GROUP: u32 = 4u; // @param

@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [M, K / 4]
@group(0) @binding(5) var<storage, read> weight: array<u32>; // [N, K / 8]

const STEP_OCTETS: u32 = 4u;
// One more than needed, so that neighbouring rows lie in different banks.
const ROW: u32 = STEP_OCTETS + 1u;
// The second vector a lane brings lies this many rows below the first.
const HALF: u32 = TILE / 2u;
const BUFFER: u32 = 2u * TILE * ROW;
const F16_MAX: f32 = 65504.0;

// In each buffer TILE rows of x, then TILE of weights.
var<workgroup> tiles: array<vec4<u32>, BUFFERS * BUFFER>;

// What a lane brings, as it came from memory.
struct XOctet {
  low: vec4<f32>,
  high: vec4<f32>,
}

struct WeightOctet {
  word: u32,
  scale: f32,
}

// Rows past the last are the last once more; what comes of them is not written.
fn load_x(row: u32, octet: u32) -> XOctet {
  let at = min(row, params.M - 1u) * (params.K / 8u) + octet;
  return XOctet(x[2u * at], x[2u * at + 1u]);
}

fn load_weight(row: u32, octet: u32) -> WeightOctet {
  let n = min(row, params.N - 1u);
  let octets = params.K / 8u;
  let scale = read_scale(n * (octets / WORDS_PER_GROUP) + octet / WORDS_PER_GROUP);
  return WeightOctet(weight[n * octets + octet], scale);
}

// What half precision cannot hold becomes its largest value rather than an infinity.
fn half_pair(low: f32, high: f32) -> u32 {
  let pair = clamp(vec2<f32>(low, high), vec2<f32>(-F16_MAX), vec2<f32>(F16_MAX));
  return bitcast<u32>(vec2<f16>(pair));
}

fn x_halves(values: XOctet) -> vec4<u32> {
  let low = values.low;
  let high = values.high;
  return vec4<u32>(
    half_pair(low.x, high.x),
    half_pair(low.y, high.y),
    half_pair(low.z, high.z),
    half_pair(low.w, high.w),
  );
}

// Two nibbles become the low bits of 1024 + nibble, which f16 holds exactly.
fn weight_pair(nibbles: u32, scale: vec2<f16>) -> u32 {
  let raised = bitcast<vec2<f16>>((nibbles & 0x000f000fu) | 0x64006400u);
  return bitcast<u32>((raised - vec2<f16>(1032.0h)) * scale);
}

fn weight_halves(values: WeightOctet) -> vec4<u32> {
  let scale = vec2<f16>(f16(values.scale));
  return vec4<u32>(
    weight_pair(values.word, scale),
    weight_pair(values.word >> 4u, scale),
    weight_pair(values.word >> 8u, scale),
    weight_pair(values.word >> 12u, scale),
  );
}
