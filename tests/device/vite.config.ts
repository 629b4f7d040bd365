import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { wgslText } from "../../tools/wgsl-text.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Bundles the device runner, dependencies included, into `dist-device/device.mjs`. */
export default defineConfig({
  root: path("."),
  plugins: [wgslText()],
  ssr: { noExternal: true, external: ["webgpu"] },
  build: {
    ssr: path("main.ts"),
    outDir: path("../../dist-device"),
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: {
      output: { entryFileNames: "device.mjs", codeSplitting: false },
    },
  },
});
