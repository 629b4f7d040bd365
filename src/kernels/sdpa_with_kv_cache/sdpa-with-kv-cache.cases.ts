import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, CapabilityOverrides } from "../../gpu/capabilities.ts";
import { f16ToF32, f32ToF16 } from "../../quant/f16.ts";
import { defaultRoute } from "../shared/tunable.ts";
import { ramp, randomValues } from "../testing/data.ts";
import type { Tolerance } from "../testing/compare.ts";
import type { Expectation, KernelCase } from "../testing/suite.ts";
import { sdpaReference, sdpaReferenceRow } from "./sdpa-with-kv-cache.reference.ts";
import type { SdpaReferenceInput } from "./sdpa-with-kv-cache.reference.ts";
import { sdpaWithKvCacheTunable } from "./sdpa-with-kv-cache.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-with-kv-cache.ts";

/** One configuration of the operator. */
export interface SdpaConfig {
  readonly name: string;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly S: number;
  readonly cacheLength: number;
  readonly position: number;
  /** What the ramps are divided by: 16 unless given. */
  readonly divisor?: number;
  /** Random values up to this magnitude instead: scores without the ramps' short periods. */
  readonly random?: number;
  /** Keys grow with their position, and with them the scores. */
  readonly rising?: true;
  /** 1 / √D unless given. */
  readonly scale?: number;
  /** What the CPU takes the position for, where that is not the position itself. */
  readonly livePosition?: number;
  readonly restrict?: CapabilityOverrides;
  readonly heavy?: string;
  readonly sweep?: true;
  /** Its loops are written out on CPUs, too. */
  readonly unrolled?: true;
  /** Whatever a device may choose by measuring is checked. */
  readonly candidates?: true;
}

export type CacheType = SdpaShape["cacheType"];

export const SDPA_TOLERANCE: Readonly<Record<CacheType, Tolerance>> = {
  f32: { absolute: 1e-4, relative: 1e-3 },
  f16: { absolute: 2e-3, relative: 1e-2 },
};

/** The shape of a configuration. */
export function sdpaShape(
  config: SdpaConfig,
  cacheType: CacheType,
  rows: SdpaShape["rows"],
): SdpaShape {
  const { heads, kvHeads, headSize, S: maxS, cacheLength } = config;
  const scale = config.scale ?? 1 / Math.sqrt(headSize);
  return { heads, kvHeads, headSize, cacheLength, cacheType, scale, rows, maxS };
}

/**
 * The route that must be taken wherever subgroups can be used, and elsewhere; for many rows, where
 * there are `matrices` to use and where there are none.
 */
export function expectSdpaRoute(
  rows: SdpaShape["rows"],
  matrices = false,
): KernelCase<SdpaLive>["expectRoute"] {
  return ({ subgroups, subgroupMatrices, software, limits }) => {
    if (rows === "many") {
      const able = subgroupMatrices.length > 0 && !software;
      return matrices && able ? "sdpa_matrix" : "sdpa_stream";
    }
    const most = Math.min(256, limits.maxComputeInvocationsPerWorkgroup);
    return subgroups !== undefined && subgroups.maxSize <= most
      ? "sdpa_split_subgroup"
      : "sdpa_split";
  };
}

/** Inputs, and a cache whose rows from the position on hold NaN. */
export function sdpaInputs(config: SdpaConfig, cacheType: CacheType) {
  const { heads, kvHeads, headSize, S, cacheLength, position, divisor = 16, random } = config;
  const row = kvHeads * headSize;
  const values = (length: number, modulus: number, offset: number) =>
    random === undefined
      ? ramp(length, modulus, offset, divisor)
      : randomValues(length, modulus).map((value) => value * random);
  const keys = (first: number, count: number, modulus: number, offset: number) =>
    config.rising === undefined
      ? values(count * row, modulus, offset)
      : Float32Array.from({ length: count * row }, (_, i) => {
          const place = first + Math.floor(i / row);
          return (place / cacheLength) * (1 + ((i * modulus) % 16) / 64);
        });
  const prior = (stored: Float32Array) => {
    const cache = new Float32Array(cacheLength * row).fill(Number.NaN);
    cache.set(stored);
    return cache;
  };
  const kCache = prior(keys(0, position, 7, 3));
  const vCache = prior(values(position * row, 5, 2));
  const q = values(S * heads * headSize, 17, 8);
  return {
    q: config.rising === undefined ? q : q.map(Math.abs),
    k: keys(position, S, 13, 6),
    v: values(S * row, 11, 5),
    k_cache: storeCache(kCache, cacheType),
    v_cache: storeCache(vCache, cacheType),
    kCache,
    vCache,
  };
}

/** A cache as the kernels hold it. */
export function storeCache(values: Float32Array, cacheType: CacheType): ArrayBufferView {
  return cacheType === "f16" ? f32ToF16(values) : values;
}

/** The values of a cache as the kernels hold it. */
export function loadCache(bytes: ArrayBuffer, cacheType: CacheType): Float32Array {
  return cacheType === "f16" ? f16ToF32(new Uint16Array(bytes)) : new Float32Array(bytes);
}

/** Multiplications that a reference of every output may take; with more, a sample is compared. */
const FULL_REFERENCE = 2 ** 30;

/** Attention of all rows, or where that is too much of those that are sampled. */
function outExpectation(input: SdpaReferenceInput): Expectation {
  const { heads, headSize, position, q } = input;
  const rows = q.length / headSize;
  if (2 * q.length * (position + rows / heads) <= FULL_REFERENCE) {
    return { type: "f32", values: sdpaReference(input) };
  }
  const elements = (chosen: readonly number[], columns: readonly number[]) =>
    chosen.flatMap((row) => {
      const values = sdpaReferenceRow(input, row);
      return columns.map((d) => values[d]!);
    });
  return { type: "f32", matrix: { rows, columns: headSize, elements } };
}

/** The rows written, and one more on each side: all that a cache could be wrong in cheaply. */
function cacheExpectation(cache: Float32Array, config: SdpaConfig, type: CacheType): Expectation {
  const row = config.kvHeads * config.headSize;
  const start = Math.max(0, config.position - 1) * row;
  const end = Math.min(config.cacheLength, config.position + config.S + 1) * row;
  return {
    type,
    values: cache.subarray(start, end),
    indices: Array.from({ length: end - start }, (_, i) => start + i),
    tolerance: type === "f16" ? { absolute: 0, relative: 1e-3 } : { absolute: 0, relative: 0 },
  };
}

function expectations(config: SdpaConfig, type: CacheType): Record<string, Expectation> {
  const { heads, kvHeads, headSize, position } = config;
  const { q, k, v, kCache, vCache } = sdpaInputs(config, type);
  kCache.set(k, position * kvHeads * headSize);
  vCache.set(v, position * kvHeads * headSize);
  const scale = config.scale ?? 1 / Math.sqrt(headSize);
  const input = { heads, kvHeads, headSize, scale, position, q, kCache, vCache };
  return {
    out: outExpectation(input),
    k_cache: cacheExpectation(kCache, config, type),
    v_cache: cacheExpectation(vCache, config, type),
  };
}

/** A suite case: one configuration, cache type and kind of route. */
export function sdpaCase(
  config: SdpaConfig,
  cacheType: CacheType,
  rows: SdpaShape["rows"],
): KernelCase<SdpaLive> {
  const {
    heads,
    kvHeads,
    headSize,
    S,
    cacheLength,
    position,
    heavy,
    sweep,
    unrolled,
    restrict = {},
  } = config;
  const tunable = (capabilities: Capabilities) =>
    sdpaWithKvCacheTunable(
      sdpaShape(config, cacheType, rows),
      restrictCapabilities(capabilities, restrict),
    );
  return {
    name:
      `${config.name} ${heads}/${kvHeads}x${headSize} S${S} C${cacheLength} at ${position} ` +
      `${cacheType} ${rows}`,
    route: (capabilities) => defaultRoute(tunable(capabilities)),
    ...(config.candidates === undefined
      ? {}
      : { candidates: (capabilities) => tunable(capabilities).candidates }),
    expectRoute: (capabilities) =>
      expectSdpaRoute(
        rows,
        cacheType === "f16" && headSize % 8 === 0,
      )(restrictCapabilities(capabilities, restrict)),
    live: { S, position: config.livePosition ?? position },
    operands: () => {
      const { q, k, v, k_cache, v_cache } = sdpaInputs(config, cacheType);
      const input_pos = Int32Array.of(position);
      return { q, k, v, k_cache, v_cache, input_pos, out: { bytes: q.byteLength } };
    },
    expected: () => expectations(config, cacheType),
    tolerance: SDPA_TOLERANCE[cacheType],
    largeTiles: true,
    ...(heavy === undefined ? {} : { heavy }),
    ...(sweep === undefined ? {} : { sweep }),
    ...(unrolled === undefined ? {} : { unrolled }),
  };
}
