import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { DeviceLimits } from "../../gpu/capabilities.ts";
import { applyRotaryEmbReference } from "../apply_rotary_emb/apply-rotary-emb.reference.ts";
import { randomMatrix } from "../linear_q4gsw/linear-q4gsw.cases.ts";
import { defaultRoute } from "../shared/tunable.ts";
import { randomValues } from "../testing/data.ts";
import type { Tolerance } from "../testing/compare.ts";
import { defineSuite } from "../testing/suite.ts";
import type { Expectation, KernelCase } from "../testing/suite.ts";
import { joinedMatrices } from "./row-projection-q4gsw.cases.ts";
import { rowProjectionReference } from "./row-projection-q4gsw.reference.ts";
import { fusesQkvRotary, qkvRotaryTunable } from "./row-projection-q4gsw.ts";
import type { QkvRotaryShape } from "./row-projection-q4gsw.ts";

/** How a case differs: interleaved, whole heads, an f16 cache, normalised, at position 5 of 16. */
interface Options extends Partial<
  Pick<QkvRotaryShape, "layout" | "rotarySize" | "tableWidth" | "cacheType" | "groupSize">
> {
  readonly norm?: false;
  readonly position?: number;
  readonly limits?: Partial<DeviceLimits>;
  readonly heavy?: string;
  /** Whatever a device may choose by measuring is checked. */
  readonly candidates?: true;
}

const EPSILON = 1e-5;
const CACHE_LENGTH = 16;
const TABLE_ROWS = 20;
const TOLERANCE: Tolerance = { absolute: 1e-4, relative: 1e-3 };
/** Of the cache's halves, beside that of the values. */
const HALF: Tolerance = { absolute: 1e-4, relative: 2e-3 };

function rotaryCase(
  K: number,
  [heads, kvHeads, headSize]: readonly [number, number, number],
  options: Options = {},
): KernelCase<object> {
  const { layout = "interleaved", rotarySize = headSize, cacheType = "f16" } = options;
  const { groupSize = 32, position = 5, limits, heavy } = options;
  const tableWidth = options.tableWidth ?? (layout === "half" ? rotarySize : rotarySize / 2);
  const shape: QkvRotaryShape = {
    K,
    groupSize,
    scaleType: "f16",
    heads,
    kvHeads,
    headSize,
    rotarySize,
    layout,
    tableWidth,
    cacheLength: CACHE_LENGTH,
    cacheType,
    ...(options.norm === false ? {} : { norm: { epsilon: EPSILON } }),
  };
  const restrict = (capabilities: Parameters<typeof restrictCapabilities>[0]) =>
    limits === undefined ? capabilities : restrictCapabilities(capabilities, { limits });
  const rows = [heads, kvHeads, kvHeads].map((count) => count * headSize);
  const matrices = () => rows.map((N, i) => randomMatrix({ ...shape, N }, 10 * i + 4));
  const x = () => randomValues(K, 1);
  const norm = () => (options.norm === false ? undefined : randomValues(K, 2));
  const table = (seed: number) => randomValues(TABLE_ROWS * tableWidth, seed);
  const cacheBytes = (cacheType === "f16" ? 2 : 4) * CACHE_LENGTH * kvHeads * headSize;
  return {
    name: [
      `${K} to ${heads}/${kvHeads}x${headSize} ${layout} ${rotarySize} of ${tableWidth}`,
      `g${groupSize} ${cacheType} at ${position}`,
      options.norm === false && "no norm",
      limits !== undefined && JSON.stringify(limits),
    ]
      .filter(Boolean)
      .join(" "),
    route: (capabilities) => defaultRoute(qkvRotaryTunable(shape, restrict(capabilities))),
    ...(options.candidates === undefined
      ? {}
      : {
          candidates: (capabilities) => qkvRotaryTunable(shape, restrict(capabilities)).candidates,
        }),
    expectRoute: ({ integerDot }) => `qkv_rotary_${integerDot ? "limbs" : "f32"}`,
    reachable: (capabilities) => fusesQkvRotary(shape, restrict(capabilities)),
    live: {},
    operands() {
      const weights = norm();
      return {
        x: x(),
        ...(weights === undefined ? {} : { norm: weights }),
        ...joinedMatrices(matrices()),
        cos: table(5),
        sin: table(6),
        input_pos: Int32Array.of(position),
        q_out: { bytes: 4 * heads * headSize },
        // Filled with NaN: what is not written must stay so.
        k_cache: { bytes: cacheBytes },
        v_cache: { bytes: cacheBytes },
      };
    },
    expected() {
      const weights = norm();
      const [q, k, v] = rowProjectionReference(
        x(),
        weights && { weight: weights, epsilon: EPSILON },
        matrices().map(({ matrix }) => matrix),
      );
      const rotary = { ...shape, livePosition: true };
      const rotate = (values: Float64Array, count: number) =>
        applyRotaryEmbReference(values, count, table(5), table(6), rotary, Math.max(0, position));
      const cache = (row: Float64Array): Expectation => {
        const values = new Float64Array(CACHE_LENGTH * row.length).fill(Number.NaN);
        if (position >= 0 && position < CACHE_LENGTH) values.set(row, position * row.length);
        return { type: cacheType, values, ...(cacheType === "f16" ? { tolerance: HALF } : {}) };
      };
      return {
        q_out: { type: "f32", values: rotate(q!, heads) },
        k_cache: cache(rotate(k!, kvHeads)),
        v_cache: cache(v!),
      };
    },
    tolerance: TOLERANCE,
    ...(heavy === undefined ? {} : { heavy }),
  };
}

/** Shapes of models, then every way to rotate and to store, then positions outside the cache. */
export const qkvRotarySuite = defineSuite("qkv_rotary_q4gsw", [
  // Llama-3.2-1B, Llama-3.1-8B
  rotaryCase(2048, [32, 8, 64], { heavy: "a weight of 3 MB" }),
  rotaryCase(4096, [32, 8, 128], { heavy: "a weight of 13 MB" }),
  rotaryCase(288, [6, 6, 48]),
  rotaryCase(64, [4, 2, 16], { cacheType: "f32" }),
  rotaryCase(64, [4, 2, 16], { rotarySize: 8 }),
  rotaryCase(64, [4, 2, 16], { layout: "half" }),
  rotaryCase(64, [4, 2, 16], { layout: "half", tableWidth: 8, cacheType: "f32" }),
  rotaryCase(96, [3, 1, 20], { layout: "half", norm: false }),
  rotaryCase(128, [2, 1, 4], { groupSize: 64, position: 0 }),
  rotaryCase(64, [4, 4, 16], { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
  rotaryCase(8192, [2, 1, 4], { candidates: true }),
  rotaryCase(64, [2, 1, 16], { position: 16 }),
  rotaryCase(64, [2, 1, 16], { position: -1 }),
]);
