// out of f16: any lane stores any element, while another may store the other half of its word. With
// shared/element-float.wgsl.
@group(0) @binding(0) var<storage, read_write> out: array<atomic<u32>>; // two elements a word

fn store(index: u32, value: Value) {
  let place = index % ELEMENTS_PER_WORD;
  let word = &out[index / ELEMENTS_PER_WORD];
  // Neither step touches the other half, so that two lanes may come in any order.
  atomicAnd(word, ~(0xffffu << (16u * place)));
  atomicOr(word, encode(value, place));
}
