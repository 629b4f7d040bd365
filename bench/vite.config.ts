import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { wgslText } from "../tools/wgsl-text.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Bundles the benchmarks into `dist-bench/`, so that they run with Node and `webgpu` alone. */
export default defineConfig({
  root: path("."),
  plugins: [wgslText()],
  ssr: { noExternal: true, external: ["webgpu"] },
  build: {
    ssr: true,
    outDir: path("../dist-bench"),
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: {
      input: {
        "load-and-decode": path("load-and-decode.ts"),
        "random-gguf": path("random-gguf.ts"),
      },
      output: { entryFileNames: "[name].mjs" },
    },
  },
});
