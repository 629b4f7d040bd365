import type { Architecture } from "./transformer.ts";

/** Qwen2 and Qwen2.5: Llama with biases on q, k and v. */
export const qwen2: Architecture = { attentionBias: true, qkNorm: false };
