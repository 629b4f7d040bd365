// The row of x as limbs in a buffer. With limb-dot.wgsl.

@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>; // [5, K / 32]

fn prepare_input(lane: u32) {}

fn read_input(block: u32) -> Input {
  let blocks = block_count();
  let rest = x[4u * blocks + block];
  let squares = bitcast<vec2<f32>>(rest.yw);
  return Input(
    x[block],
    x[blocks + block],
    x[2u * blocks + block],
    x[3u * blocks + block],
    bitcast<vec2<f32>>(rest.xz),
    squares.x + squares.y,
  );
}
