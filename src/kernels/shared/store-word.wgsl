// out of f32 or i32: any lane stores any element. With shared/element-float.wgsl or
// shared/element-integer.wgsl.
@group(0) @binding(0) var<storage, read_write> out: array<u32>; // one element a word

fn store(index: u32, value: Value) {
  out[index] = encode(value, 0u);
}
