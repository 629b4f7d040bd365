import type { Capabilities } from "../../gpu/capabilities.ts";
import { divideCeil, elementwiseGrid, foldWorkgroupCount } from "../../gpu/dispatch-grid.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { DispatchTemplate, Route } from "../../gpu/kernel.ts";
import invocationIndex from "../shared/invocation-index.wgsl";
import { cacheQuadSource } from "./cache-quad.ts";
import appendSource from "./sdpa-append.wgsl";
import streamSource from "./sdpa-stream.wgsl";
import { attentionWork, cacheBytes } from "./sdpa-shape.ts";
import type { SdpaLive, SdpaShape } from "./sdpa-shape.ts";

const APPEND_WORKGROUP_SIZE = 64;

/** Query rows of a workgroup, and quads of values it can stage: as `sdpa-stream.wgsl` says. */
const ROWS = 32;
const STAGE_QUADS = 448;

/** Writes the new keys and values to their caches. */
export function appendDispatch(
  shape: SdpaShape,
  capabilities: Capabilities,
): DispatchTemplate<SdpaLive> {
  const { kvHeads, headSize, cacheLength, cacheType } = shape;
  const row = (kvHeads * headSize) / 4;
  return {
    kernel: defineKernel({
      label: "sdpa_append",
      parts: [invocationIndex, cacheQuadSource(cacheType), appendSource],
      overrides: { WORKGROUP_SIZE: APPEND_WORKGROUP_SIZE },
    }),
    bind: { k_cache: "k_cache", v_cache: "v_cache", k: "k", v: "v", input_pos: "input_pos" },
    params: ({ S }) => ({ count: S * row, row, cache_length: cacheLength }),
    grid: ({ S }) => elementwiseGrid(2 * S * row, APPEND_WORKGROUP_SIZE, capabilities),
    work: ({ S }) => ({ bytes: { k_cache: cacheBytes(shape, S), v_cache: cacheBytes(shape, S) } }),
  };
}

/** Lanes that share the output of a row. */
const ROW_LANES = 16;

/** The most values (a power of two up to 64) whose quads fit the stage. */
function stagedValues(valueQuads: number): number {
  let values = 64;
  while (values * valueQuads * ROW_LANES > STAGE_QUADS) values /= 2;
  return values;
}

/** Any number of query rows: the caches are extended, then attention streams over their keys. */
export function streamRoute(shape: SdpaShape, capabilities: Capabilities): Route<SdpaLive> {
  const { heads, kvHeads, headSize, cacheLength, cacheType, scale } = shape;
  const group = heads / kvHeads;
  const valueQuads = divideCeil(headSize / 4, ROW_LANES);
  return {
    name: "sdpa_stream",
    scratch: {},
    dispatches: [
      appendDispatch(shape, capabilities),
      {
        kernel: defineKernel({
          label: "sdpa_stream",
          parts: [cacheQuadSource(cacheType), streamSource],
          constants: { VALUE_QUADS: valueQuads, VALUE_KEYS: stagedValues(valueQuads) },
        }),
        bind: {
          out: "out",
          q: "q",
          k_cache: "k_cache",
          v_cache: "v_cache",
          input_pos: "input_pos",
        },
        params: ({ S }) => ({
          tokens: S,
          kv_heads: kvHeads,
          group,
          head_quads: headSize / 4,
          cache_length: cacheLength,
          scale,
        }),
        grid: ({ S }) => foldWorkgroupCount(kvHeads * divideCeil(S * group, ROWS), capabilities),
        work: (live) => attentionWork(shape, live),
      },
    ],
  };
}
