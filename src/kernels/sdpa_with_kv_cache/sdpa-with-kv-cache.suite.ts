import { randomNumbers } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import { sdpaCase } from "./sdpa-with-kv-cache.cases.ts";
import type { CacheType, SdpaConfig } from "./sdpa-with-kv-cache.cases.ts";

type Sizes = readonly [
  heads: number,
  kvHeads: number,
  headSize: number,
  S: number,
  cacheLength: number,
  position: number,
];

function configure(
  name: string,
  [heads, kvHeads, headSize, S, cacheLength, position]: Sizes,
  rest: Partial<SdpaConfig> = {},
): SdpaConfig {
  return { name, heads, kvHeads, headSize, S, cacheLength, position, ...rest };
}

/** Every way a configuration can run: one row takes both routes. */
function allRoutes(config: SdpaConfig, cacheTypes: readonly CacheType[] = ["f32", "f16"]) {
  return cacheTypes.flatMap((cacheType) => [
    sdpaCase(config, cacheType, "many"),
    ...(config.S === 1 ? [sdpaCase(config, cacheType, "one")] : []),
  ]);
}

/** ExecuTorch's own configurations. */
const published = [
  ...allRoutes(configure("gqa31_prefill", [6, 2, 8, 4, 16, 0])),
  ...allRoutes(configure("mha_ctxodd", [4, 4, 16, 3, 8, 0])),
  ...allRoutes(configure("gqa21_prefill", [8, 4, 4, 5, 16, 0])),
  ...allRoutes(configure("gqa31_decode", [6, 2, 8, 2, 16, 2])),
  ...allRoutes(configure("llama3_prefill", [24, 8, 128, 128, 256, 0])),
  ...allRoutes(configure("mha_biglogit", [4, 4, 32, 4, 16, 0], { divisor: 0.5 })),
  ...allRoutes(configure("llama1b_decode_4k", [32, 8, 64, 1, 4096, 4095])),
  ...allRoutes(
    configure("llama1b_decode_8k", [32, 8, 64, 1, 8192, 8191], {
      heavy: "34 M multiply-adds, four times, by kernels that 4k shows",
    }),
  ),
  ...allRoutes(configure("llama1b_prefill", [32, 8, 64, 128, 512, 0])),
  ...allRoutes(configure("llama1b_decode", [32, 8, 64, 1, 512, 127])),
  ...allRoutes(
    configure("llama1b_prefill_512", [32, 8, 64, 512, 512, 0], {
      heavy: "0.5 G multiply-adds, four times",
    }),
  ),
  ...allRoutes(
    configure("llama1b_prefill_2048", [32, 8, 64, 2048, 2048, 0], {
      heavy: "9 G multiply-adds",
    }),
  ),
  ...allRoutes(
    configure("qwen3_prefill", [16, 8, 128, 128, 256, 0], {
      divisor: 10,
    }),
    ["f16"],
  ),
  ...allRoutes(configure("qwen3_odd_boundary", [16, 8, 128, 17, 64, 31], { divisor: 10 }), ["f16"]),
];

const randomRounds = configure("random, rounds", [8, 2, 64, 1, 351, 340], {
  random: 2,
  livePosition: 0,
});

/** The kernels of `published` right after it: drivers do not keep all of them compiled. */
const randomValues = [
  ...allRoutes(configure("random", [8, 2, 64, 1, 351, 340], { random: 3 }), ["f32"]),
  ...allRoutes(configure("random", [8, 2, 64, 40, 351, 300], { random: 3 }), ["f32"]),
  ...allRoutes(configure("random", [8, 2, 64, 1, 351, 340], { random: 1 }), ["f16"]),
  // A split has one round's positions, unless the context is very long or the CPU's position old.
  sdpaCase(randomRounds, "f32", "one"),
  sdpaCase(randomRounds, "f16", "one"),
  // Several heads, quads and positions a lane, and as few as that takes.
  sdpaCase(
    configure("written out, rounds", [4, 2, 32, 1, 351, 340], {
      random: 2,
      livePosition: 0,
      unrolled: true,
    }),
    "f16",
    "one",
  ),
  // Powers of two up to the 190th: not relative to the largest score so far they would be infinite.
  sdpaCase(
    configure("rising, rounds", [8, 2, 64, 1, 351, 340], {
      rising: true,
      scale: 6,
      livePosition: 0,
    }),
    "f32",
    "one",
  ),
];

/** What makes a case part of a sweep, unless its value is one of the `telling` ones. */
const sweep = (value: number, ...telling: number[]) =>
  telling.includes(value) ? {} : { sweep: true as const };

/**
 * Every head size the models have, and ones that leave lanes without work: 20 where lanes hold one quad, 80
 * where they hold more.
 */
const headSizes = [4, 8, 20, 32, 64, 80, 96, 128, 252, 256].flatMap((headSize) => [
  ...allRoutes(configure("head size", [4, 2, headSize, 1, 96, 76], sweep(headSize, 20, 80)), [
    "f32",
  ]),
  ...allRoutes(configure("head size", [4, 2, headSize, 21, 96, 50], sweep(headSize, 20, 80)), [
    "f32",
  ]),
]);

/** Query heads a key head; the odd 3 is telling, and the widest group, below, takes turns. */
const ratios = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16].flatMap((ratio) => [
  ...allRoutes(configure("ratio", [2 * ratio, 2, 32, 1, 130, 128], sweep(ratio, 3)), ["f32"]),
  ...allRoutes(configure("ratio", [2 * ratio, 2, 32, 9, 130, 63]), ["f32"]),
]);

/** Contexts around the edges of tiles and splits; by the kernels of `randomValues`. */
const contexts = [0, 1, 2, 30, 31, 32, 33, 63, 64, 127, 350].flatMap((position) =>
  allRoutes(configure("context", [8, 2, 64, 1, 351, position]), ["f32"]),
);

/** The kernels go by the position the GPU holds, however old the CPU's is. */
const stalePositions = [0, 76, 500, 4000].flatMap((livePosition) =>
  allRoutes(configure(`CPU at ${livePosition}`, [8, 2, 64, 1, 600, 300], { livePosition })),
);

/** Many rows over an f16 cache: on subgroup matrices where there are any. */
const overHalves = [
  // Head sizes that fill the kernel's slabs of 64 values, and that do not.
  ...[8, 16, 40, 48, 64, 80, 96, 128, 136, 192, 256].map((headSize) =>
    configure("head size", [4, 2, headSize, 21, 96, 50], { divisor: 24 }),
  ),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 12, 16].map((ratio) =>
    configure("ratio", [2 * ratio, 2, 32, 9, 130, 63]),
  ),
  ...[0, 1, 15, 16, 30, 31, 32, 33, 62, 63, 64, 127, 318].map((position) =>
    configure("context", [6, 2, 64, 33, 351, position]),
  ),
  ...[1, 15, 16, 31, 32, 33, 64, 65].map((S) => configure("rows", [4, 2, 64, S, 200, 100])),
  configure("random", [8, 2, 64, 40, 351, 300], { random: 1 }),
  configure("own scale", [10, 2, 64, 70, 164, 28], { scale: 0.37, divisor: 32 }),
  // The largest score of a row is always its last, so that what is summed up has to be rescaled.
  configure("rising scores", [4, 2, 64, 40, 600, 560], { rising: true, scale: 1.5 }),
  configure("rising scores", [4, 2, 128, 40, 600, 560], { rising: true, scale: 0.75 }),
  configure("llama3.1_8b_chunk", [32, 8, 128, 512, 2048, 1536], {
    heavy: "7 G multiply-adds",
  }),
  configure("llama1b_chunk", [32, 8, 64, 2048, 8192, 6144], { heavy: "60 G multiply-adds" }),
].map((config) => sdpaCase(config, "f16", "many"));

const others = [
  ...allRoutes(configure("own scale", [10, 2, 20, 1, 64, 28], { scale: 0.37, sweep: true }), [
    "f32",
  ]),
  ...allRoutes(configure("own scale", [10, 2, 20, 1, 64, 28], { scale: 0.37 }), ["f16"]),
  ...allRoutes(configure("own scale", [10, 2, 20, 7, 64, 28], { scale: 0.37 })),
  ...allRoutes(
    configure("folded grid", [24, 12, 16, 1, 200, 190], {
      restrict: { limits: { maxComputeWorkgroupsPerDimension: 24 } },
    }),
  ),
  ...allRoutes(
    configure("folded grid", [24, 12, 16, 50, 64, 3], {
      restrict: { limits: { maxComputeWorkgroupsPerDimension: 150 } },
    }),
  ),
  ...allRoutes(configure("every layout", [2, 1, 32, 1, 600, 590], { candidates: true }), ["f16"]),
  ...allRoutes(configure("widest group", [16, 1, 256, 1, 200, 199], { sweep: true }), ["f32"]),
  ...allRoutes(configure("widest group", [16, 1, 256, 1, 200, 199]), ["f16"]),
  ...allRoutes(configure("chunk at the end of 8k", [4, 2, 64, 33, 8192, 8159])),
];

/** Shapes that nobody thought of: how lanes share heads, positions and quads depends on all of these. */
function unforeseen(count: number): readonly SdpaConfig[] {
  const next = randomNumbers(5);
  const pick = (...choices: readonly number[]) => choices[Math.floor(next() * choices.length)]!;
  return Array.from({ length: count }, () => {
    const kvHeads = pick(1, 2, 3, 5);
    const heads = kvHeads * pick(1, 2, 3, 4, 5, 6, 7, 8, 9, 12);
    const headSize = pick(4, 8, 12, 16, 20, 24, 40, 48, 64, 80, 96, 128, 160, 256);
    const cacheLength = pick(1, 60, 190, 430);
    const position = Math.floor(next() * cacheLength);
    return configure("unforeseen", [heads, kvHeads, headSize, 1, cacheLength, position], {
      random: 1,
      candidates: true,
      heavy: "every layout of it",
    });
  });
}

/** Every published configuration, then every dimension on its own, then all at random. */
export const sdpaSuite = defineSuite("sdpa_with_kv_cache", [
  ...published,
  ...randomValues,
  ...contexts,
  ...stalePositions,
  ...headSizes,
  ...ratios,
  ...overHalves,
  ...others,
  ...unforeseen(16).map((config, i) => sdpaCase(config, i % 3 === 0 ? "f32" : "f16", "one")),
]);
