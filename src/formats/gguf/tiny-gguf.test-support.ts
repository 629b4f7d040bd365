import type {
  GgufToWrite,
  MetadataValue,
  TensorToWrite,
} from "../../../tests/support/gguf-writer.ts";
import {
  f32,
  flag,
  list,
  tensorByteLength,
  text,
  u32,
} from "../../../tests/support/gguf-writer.ts";
import { numberToF16Bits } from "../../quant/f16.ts";

/** A tensor of made-up bytes whose f16 and f32 values are all finite. */
export function tinyTensor(name: string, type: string, dims: readonly number[]): TensorToWrite {
  const tensor = { name, type, dims, data: new Uint8Array() };
  const data = new Uint8Array(tensorByteLength(tensor)).map((_, i) => (i * 37 + 11) % 251);
  const view = new DataView(data.buffer);
  const putHalves = (first: number, step: number, value: number) => {
    for (let at = first; at < data.length; at += step) {
      view.setUint16(at, numberToF16Bits(value + at / 4096), true);
    }
  };
  if (type === "F32")
    for (let at = 0; at < data.length; at += 4) view.setFloat32(at, at / 64, true);
  if (type === "F16") putHalves(0, 2, -0.5);
  if (type === "BF16") for (let at = 1; at < data.length; at += 2) view.setUint8(at, 0x3f);
  if (type === "Q4_0") putHalves(0, 18, 0.25);
  if (type === "Q8_0") putHalves(0, 34, 0.25);
  if (type === "Q6_K") putHalves(208, 210, 0.25);
  return { ...tensor, data };
}

export const TINY_METADATA: Readonly<Record<string, MetadataValue>> = {
  "general.architecture": text("llama"),
  "general.name": text("Tiny"),
  "llama.block_count": u32(2),
  "llama.context_length": u32(128),
  "llama.embedding_length": u32(256),
  "llama.feed_forward_length": u32(96),
  "llama.attention.head_count": u32(4),
  "llama.attention.head_count_kv": u32(2),
  "llama.attention.layer_norm_rms_epsilon": f32(2 ** -17),
  "llama.rope.freq_base": f32(500_000),
  "llama.rope.dimension_count": u32(64),
  "tokenizer.ggml.tokens": list("string", ["a", "é", "\uFEFF", ""]),
  "tokenizer.ggml.scores": list("f32", [0, -1, -2.5, 1]),
  "tokenizer.ggml.token_type": list("i32", [1, 1, 3, -1]),
  "tokenizer.ggml.add_bos_token": flag(true),
};

/** A file with a tensor of each type that can be loaded. */
export const TINY: GgufToWrite = {
  metadata: TINY_METADATA,
  tensors: [
    tinyTensor("token_embd.weight", "Q6_K", [6, 256]),
    tinyTensor("output_norm.weight", "F32", [256]),
    tinyTensor("rope_freqs.weight", "F32", [32]),
    tinyTensor("blk.0.attn_q.weight", "Q4_0", [5, 256]),
    tinyTensor("blk.0.attn_k.weight", "Q8_0", [3, 256]),
    tinyTensor("blk.0.attn_v.weight", "F16", [3, 256]),
    tinyTensor("blk.0.attn_output.weight", "BF16", [4, 256]),
    tinyTensor("blk.0.ffn_up.weight", "F32", [2, 256]),
  ],
};
