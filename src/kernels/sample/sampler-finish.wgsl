// The end of a step: what the chosen token changes, so that the next step needs nothing from the
// CPU.

@group(0) @binding(0) var<storage, read_write> token: array<i32>; // [1]
@group(0) @binding(1) var<storage, read_write> input_pos: array<i32>; // [1]
@group(0) @binding(2) var<storage, read_write> seen: array<u32>; // [⌈V / 32⌉] bits
@group(0) @binding(3) var<storage, read_write> history: array<i32>; // [history_length]

// One invocation calls this.
fn finish(chosen: u32, step: u32, history_length: u32) {
  token[0] = i32(chosen);
  seen[chosen / 32u] |= 1u << (chosen % 32u);
  let position = input_pos[0] + i32(step);
  input_pos[0] = position;
  if (position >= 0 && u32(position) < history_length) {
    history[position] = i32(chosen);
  }
}
