import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { wgslText } from "../tools/wgsl-text.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * Bundles the benchmark into `dist-bench/bench.mjs`, one file that runs with Node and `webgpu` alone;
 * with `--mode random-gguf` the program that writes models of random weights.
 */
export default defineConfig(({ mode }) => {
  const entry = mode === "random-gguf" ? "random-gguf" : "bench";
  return {
    root: path("."),
    plugins: [wgslText()],
    ssr: { noExternal: true, external: ["webgpu"] },
    build: {
      ssr: path(`${entry}.ts`),
      outDir: path("../dist-bench"),
      emptyOutDir: false,
      target: "node20",
      rolldownOptions: { output: { entryFileNames: "[name].mjs", codeSplitting: false } },
    },
  };
});
