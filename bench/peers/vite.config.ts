import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { wgslText } from "../../tools/wgsl-text.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Bundles the runner into `dist/` here, beside the peers' `node_modules`. */
export default defineConfig({
  root: path("."),
  plugins: [wgslText()],
  ssr: { noExternal: true, external: ["webgpu", "node-llama-cpp", "onnxruntime-node"] },
  build: {
    ssr: true,
    outDir: path("dist"),
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: {
      input: { run: path("run.ts"), child: path("child.ts") },
      // All in one folder: paths in them are relative to it.
      output: { entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" },
    },
  },
});
