import { restrictCapabilities } from "../../gpu/capabilities.ts";
import { ramp } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { applyRotaryEmbReference } from "./apply-rotary-emb.reference.ts";
import { applyRotaryEmb } from "./apply-rotary-emb.ts";
import type { RotaryShape } from "./apply-rotary-emb.ts";

type Live = { readonly S: number };

/** Tables of angles, row · 10000^(−2i / rotarySize); repeated where rows hold both halves. */
export function rotaryTables(rows: number, { rotarySize, tableWidth }: RotaryShape) {
  const angle = (i: number) => {
    const column = (i % tableWidth) % (rotarySize / 2);
    return Math.floor(i / tableWidth) * 10000 ** ((-2 * column) / rotarySize);
  };
  const table = (f: (angle: number) => number) =>
    Float32Array.from({ length: rows * tableWidth }, (_, i) => f(angle(i)));
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

interface RotaryConfig {
  readonly S: number;
  /** Without a live position the tables start at it. */
  readonly position?: number;
  readonly tableRows?: number;
  readonly maxWorkgroups?: number;
}

function rotaryCase(name: string, shape: RotaryShape, config: RotaryConfig): KernelCase<Live> {
  const { S, position = 0, tableRows = position + S, maxWorkgroups = 65535 } = config;
  const { heads, kvHeads, headSize, livePosition } = shape;
  const xq = ramp(S * heads * headSize, 17, 8, 16);
  const xk = ramp(S * kvHeads * headSize, 13, 6, 16);
  const { cos, sin } = rotaryTables(tableRows, shape);
  const limits = { maxComputeWorkgroupsPerDimension: maxWorkgroups };
  const reference = (x: Float32Array, count: number) =>
    applyRotaryEmbReference(x, count, cos, sin, shape, position);
  return {
    name: `${name} S${S} ${heads}/${kvHeads}x${headSize} at ${position} ${shape.layout}`,
    route: (capabilities) => applyRotaryEmb(shape, restrictCapabilities(capabilities, { limits })),
    expectRoute: () => `apply_rotary_emb_${shape.layout}`,
    live: { S },
    operands: () => ({
      xq,
      xk,
      cos,
      sin,
      ...(livePosition ? { input_pos: Int32Array.of(position) } : {}),
      xq_out: { bytes: xq.byteLength },
      xk_out: { bytes: xk.byteLength },
    }),
    expected: () => ({
      xq_out: { type: "f32", values: reference(xq, heads) },
      xk_out: { type: "f32", values: reference(xk, kvHeads) },
    }),
    tolerance: { absolute: 1e-6, relative: 1e-5 },
  };
}

/** A shape whose tables hold each factor once and are sliced already, unless told otherwise. */
export function rotaryShape(
  heads: number,
  kvHeads: number,
  headSize: number,
  rest: Partial<RotaryShape> = {},
): RotaryShape {
  return {
    heads,
    kvHeads,
    headSize,
    rotarySize: headSize,
    layout: "interleaved",
    tableWidth: headSize / 2,
    livePosition: false,
    ...rest,
  };
}

/** Hugging Face tables: whole, each row two equal halves. */
export const hfRotaryShape = (heads: number, kvHeads: number, headSize: number): RotaryShape =>
  rotaryShape(heads, kvHeads, headSize, {
    layout: "half",
    tableWidth: headSize,
    livePosition: true,
  });

/** ExecuTorch's own configurations, then partial rotation, every mix of tables, a folded grid. */
export const rotarySuite = defineSuite("apply_rotary_emb", [
  rotaryCase("multi", rotaryShape(8, 2, 64), { S: 5 }),
  rotaryCase("decode", rotaryShape(32, 8, 64), { S: 1 }),
  rotaryCase("hf multi", hfRotaryShape(8, 2, 64), { S: 5 }),
  ...[0, 7, 15].map((position) =>
    rotaryCase("hf decode", hfRotaryShape(16, 8, 128), { S: 1, position, tableRows: 16 }),
  ),
  rotaryCase("live", rotaryShape(8, 2, 64, { livePosition: true }), { S: 5, position: 9 }),
  rotaryCase("sliced halves", rotaryShape(8, 2, 64, { layout: "half" }), { S: 5 }),
  rotaryCase("partial", rotaryShape(4, 2, 80, { rotarySize: 32, tableWidth: 16 }), { S: 3 }),
  rotaryCase(
    "partial",
    rotaryShape(4, 2, 96, { rotarySize: 48, tableWidth: 48, layout: "half", livePosition: true }),
    { S: 3, position: 100 },
  ),
  rotaryCase("wide table", rotaryShape(4, 4, 16, { tableWidth: 16 }), { S: 3 }),
  rotaryCase("smallest", rotaryShape(1, 1, 2), { S: 2 }),
  rotaryCase("more keys than queries", rotaryShape(2, 6, 8), { S: 4 }),
  rotaryCase("folded grid", rotaryShape(8, 2, 64), { S: 37, maxWorkgroups: 14 }),
]);
