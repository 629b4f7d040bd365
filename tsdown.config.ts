import { defineConfig } from "tsdown";
import { wgslText } from "./tools/wgsl-text.ts";

/**
 * One build of all entries, so that they share their chunks: an error thrown in one is an instance
 * of the class the other exports. `browser.js` reaches no chunk that imports from Node.
 */
export default defineConfig({
  entry: {
    node: "src/node.ts",
    browser: "src/browser.ts",
    "cli/main": "src/cli/main.ts",
  },
  format: "esm",
  dts: true,
  fixedExtension: false,
  target: "es2023",
  plugins: [wgslText()],
  deps: { neverBundle: ["webgpu", "@sparticuz/chromium"], onlyBundle: [] },
});
