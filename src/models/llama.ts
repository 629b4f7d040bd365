import type { Architecture } from "./transformer.ts";

/** Llama 1 to 3.3, Mistral and other models of that family. */
export const llama: Architecture = { attentionBias: false, qkNorm: false };
