// Brings weights and scales into the order in which tiles of them are read, neighbouring outputs side by
// side, and rounds the scales to f16. A workgroup takes ROWS outputs and a block of 32 weights of each for
// every ROWS lanes. With shared/q4-scales.wgsl and scales.wgsl; the kernel declares params and lanes.
const SCALES_PER_BLOCK: u32 = 1u; // @param of 32 weights: 2 where groups are of 16
const BLOCKS_PER_GROUP: u32 = 1u; // @param

const ROWS: u32 = 32u;
override COLUMNS: u32 = WORKGROUP_SIZE / ROWS;

@group(0) @binding(2) var<storage, read_write> weight_columns: array<vec4<u32>>; // [K / 32, columns]
@group(0) @binding(3) var<storage, read_write> scale_halves: array<f16>; // [K / 32 · SCALES_PER_BLOCK, columns]
@group(0) @binding(5) var<storage, read> weight: array<vec4<u32>>; // [N, K / 32]

// Block `block` of output n becomes one of `columns`.
fn order_weight(n: u32, block: u32, column: u32, columns: u32) {
  let blocks = params.K / 32u;
  weight_columns[block * columns + column] = weight[n * blocks + block];
  if (SCALES_PER_BLOCK == 2u) {
    let at = 2u * (n * blocks + block);
    scale_halves[2u * block * columns + column] = f16(read_scale(at));
    scale_halves[(2u * block + 1u) * columns + column] = f16(read_scale(at + 1u));
  } else {
    let groups = blocks / BLOCKS_PER_GROUP;
    scale_halves[block * columns + column] = f16(read_scale(n * groups + block / BLOCKS_PER_GROUP));
  }
}
