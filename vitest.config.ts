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

const isHeavy = process.env["TETRAD_HEAVY"] === "1";

/** Everything that runs on a GPU, and its kernels alone: of those a model's calls are made. */
const ALL = "{src,tests}/**/*.gpu.test.ts";
const KERNELS = "src/kernels/**/*.gpu.test.ts";

/**
 * Measuring compiles every candidate of every call, for which lavapipe takes a minute; how it is done is no
 * different there, and `npm run test:heavy` shows it.
 */
const MEASURING = ["src/bench/bench.gpu.test.ts", "src/tune-model.gpu.test.ts"];

/** Tests of kernels that have nothing to do with subgroups, or whose suite runs them in all sizes. */
const ANY_SUBGROUPS = [
  "src/kernels/sample/sample.gpu.test.ts",
  "src/kernels/sdpa_with_kv_cache/sdpa-replay.gpu.test.ts",
];

const setupFiles = ["tests/support/patient-polling.ts"];

interface Files {
  readonly include: string;
  readonly exclude: string[];
}

const adapter = (
  name: string,
  env: Record<string, string>,
  { include, exclude }: Files = { include: ALL, exclude: [] },
) => ({
  extends: true as const,
  test: {
    name,
    include: [include],
    exclude,
    setupFiles,
    env: { TETRAD_TEST_ADAPTER: name, ...env },
  },
});

/** The subgroup size that runs everything; the others run the kernels that subgroups make different. */
const MAIN_SUBGROUP_SIZE = 8;
/** The one whose kernels are left to their own bounds, without Dawn's checks. */
const UNCHECKED_SUBGROUP_SIZE = 16;

const lavapipeAdapter = (subgroupSize: number) => {
  const isMain = subgroupSize === MAIN_SUBGROUP_SIZE;
  const env = {
    VK_DRIVER_FILES: lavapipe,
    XDG_RUNTIME_DIR: process.env["XDG_RUNTIME_DIR"] ?? "/tmp",
    LP_NATIVE_VECTOR_WIDTH: String(subgroupSize * 32),
    // Most of the time goes to compiling, of which LLVM's optimisations are more than a half.
    ...(isHeavy ? {} : { GALLIVM_PERF: "nopt" }),
    ...(isMain ? {} : { TETRAD_TEST_ONLY: "subgroups" }),
    ...(subgroupSize === UNCHECKED_SUBGROUP_SIZE
      ? { TETRAD_TEST_DAWN_FEATURES: "disable_robustness" }
      : {}),
  };
  return adapter(`lavapipe-${subgroupSize}`, env, {
    include: isMain ? ALL : KERNELS,
    exclude: isHeavy ? [] : isMain ? MEASURING : ANY_SUBGROUPS,
  });
};

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
      setupFiles,
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
