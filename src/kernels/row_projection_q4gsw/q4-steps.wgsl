// 4-bit weights as projections of a row load them: STEP blocks of 32 along K at a time, and their scales.

const STEP: u32 = 2u; // @param 1 | 2 blocks; 2 where a group is one block or whole pairs of blocks
const BLOCKS_PER_GROUP: u32 = 1u; // @param
const SCALES_F16: bool = true; // @param

// A scale of its own for each block, in the same word or in two.
const OWN_SCALES: bool = STEP == 2u && BLOCKS_PER_GROUP == 1u;

// Index of the scale of `block` of row `n`.
fn scale_index(n: u32, block: u32) -> u32 {
  return n * (block_count() / BLOCKS_PER_GROUP) + block / BLOCKS_PER_GROUP;
}

// The word of a scale, and of the next block's.
fn scale_word(index: u32) -> u32 {
  return select(index, index >> 1u, SCALES_F16);
}

fn next_scale_word(index: u32) -> u32 {
  return select(scale_word(index), index + 1u, OWN_SCALES && !SCALES_F16);
}

// The scales of a step's blocks from those words.
fn decode_scales(word: u32, next: u32, index: u32) -> vec2<f32> {
  if (!SCALES_F16) {
    return bitcast<vec2<f32>>(vec2<u32>(word, next));
  }
  let pair = unpack2x16float(word);
  if (OWN_SCALES) {
    // Rows have an even number of blocks then.
    return pair;
  }
  return vec2<f32>(select(pair.x, pair.y, (index & 1u) == 1u));
}

// STEP blocks of weights, as many inputs, and the blocks' scales.
fn dot_step(first: vec4<u32>, second: vec4<u32>, scales: vec2<f32>, inputs: Inputs) -> f32 {
  let sum = scales.x * dot_block(first, inputs.first);
  if (STEP == 1u) {
    return sum;
  }
  return sum + scales.y * dot_block(second, inputs.second);
}

struct Inputs {
  first: Input,
  second: Input,
}

fn read_inputs(block: u32) -> Inputs {
  if (STEP == 1u) {
    let input = read_input(block);
    return Inputs(input, input);
  }
  return Inputs(read_input(block), read_input(block + 1u));
}

fn squares_of_step(inputs: Inputs) -> f32 {
  if (STEP == 1u) {
    return squares_of(inputs.first);
  }
  return squares_of(inputs.first) + squares_of(inputs.second);
}
