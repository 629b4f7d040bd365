import type { Architecture } from "./transformer.ts";

/** Qwen3: Llama with q and k normalised per head. */
export const qwen3: Architecture = { attentionBias: false, qkNorm: true };
