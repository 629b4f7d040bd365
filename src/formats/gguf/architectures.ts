import type { RopeLayout } from "../../checkpoint.ts";

/** What an architecture's files leave unsaid. */
export interface GgufArchitecture {
  /** The pairing of rotated elements that q and k weights are stored for. */
  readonly ropeLayout: RopeLayout;
}

/**
 * Architectures by `general.architecture`. llama's q and k rows were permuted at conversion, so that
 * rotated pairs are neighbours; the others keep their publishers' order.
 */
export const ARCHITECTURES: ReadonlyMap<string, GgufArchitecture> = new Map<
  string,
  GgufArchitecture
>([
  ["llama", { ropeLayout: "interleaved" }],
  ["qwen2", { ropeLayout: "half" }],
  ["qwen3", { ropeLayout: "half" }],
]);
