import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { findGpu } from "./src/platform/node/gpu.ts";
import { wgslText } from "./tools/wgsl-text.ts";

/**
 * Tests named `*.gpu.test.ts` run once per adapter, the others once. SwiftShader comes from npm and
 * always runs; lavapipe (f16; three subgroup sizes) runs where `tools/lavapipe.sh` has put it. A
 * missing adapter fails the tests, unless `GPU=optional` is set by hand.
 */
const lavapipe = fileURLToPath(new URL(".lavapipe/lvp_icd.json", import.meta.url));

const adapter = (name: string, env: Record<string, string>) => ({
  extends: true as const,
  test: {
    name,
    include: ["{src,tests}/**/*.gpu.test.ts"],
    env: { TETRAD_TEST_ADAPTER: name, ...env },
  },
});

/** The subgroup size that runs everything; the others run what subgroups make different. */
const MAIN_SUBGROUP_SIZE = 8;

const lavapipeAdapter = (subgroupSize: number) =>
  adapter(`lavapipe-${subgroupSize}`, {
    VK_DRIVER_FILES: lavapipe,
    XDG_RUNTIME_DIR: process.env["XDG_RUNTIME_DIR"] ?? "/tmp",
    LP_NATIVE_VECTOR_WIDTH: String(subgroupSize * 32),
    ...(subgroupSize === MAIN_SUBGROUP_SIZE ? {} : { TETRAD_TEST_ONLY: "subgroups" }),
  });

async function gpuProjects() {
  if (process.env["GPU"] === "optional") {
    const found = await findGpu({ forceSoftware: true }).catch((error: unknown) => error);
    if (found instanceof Error) {
      console.warn(`GPU=optional: tests on a GPU are left out: ${found.message}`);
      return [];
    }
  }
  const browser = {
    extends: true as const,
    test: {
      name: "browser",
      include: ["tests/browser/**/*.test.ts"],
      testTimeout: 900_000,
      // A browser computes on every core.
      fileParallelism: false,
    },
  };
  const lavapipes = existsSync(lavapipe) ? [4, 8, 16].map(lavapipeAdapter) : [];
  return [browser, adapter("swiftshader", {}), ...lavapipes];
}

export default defineConfig({
  plugins: [wgslText()],
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: "cpu",
          include: ["{src,tests,tools}/**/*.test.ts"],
          exclude: ["**/*.gpu.test.ts", "**/*.heavy.test.ts", "tests/browser/**"],
        },
      },
      ...(await gpuProjects()),
    ],
  },
});
