import { restrictCapabilities } from "../../gpu/capabilities.ts";
import type { Capabilities, DeviceLimits } from "../../gpu/capabilities.ts";
import { limbExpectation } from "../row_projection_q4gsw/limb-expectation.ts";
import { limbBytes } from "../row_projection_q4gsw/row-groups.ts";
import { randomValues } from "../testing/data.ts";
import { defineSuite } from "../testing/suite.ts";
import type { KernelCase } from "../testing/suite.ts";
import { embeddingLimbsQ4gsw, embedsToLimbs } from "./embedding-limbs.ts";
import type { EmbeddingLimbsShape } from "./embedding-limbs.ts";
import { embeddingQ4gswReference } from "./embedding-q4gsw.reference.ts";
import { randomTable } from "./embedding-q4gsw.suite.ts";

/** How a case differs: groups of 32, f16 scales, even elements in low nibbles, a norm after it. */
interface Options {
  readonly groupSize?: number;
  readonly scaleType?: "f16" | "f32";
  readonly evenInLowNibble?: false;
  readonly nextNorm?: false;
  readonly firstRow?: number;
  readonly limits?: Partial<DeviceLimits>;
}

function limbsCase(V: number, E: number, index: number, options: Options = {}): KernelCase<object> {
  const { groupSize = 32, scaleType = "f16", firstRow = 0, limits } = options;
  const shape: EmbeddingLimbsShape = {
    vocabularySize: V,
    embeddingSize: E,
    groupSize,
    scaleType,
    evenInLowNibble: options.evenInLowNibble ?? true,
    firstRow,
    nextNorm: options.nextNorm ?? true,
  };
  const restrict = (capabilities: Capabilities) =>
    limits === undefined ? capabilities : restrictCapabilities(capabilities, { limits });
  const indices = Int32Array.of(index);
  const isThere = index >= firstRow && index < firstRow + V;
  const next = () => (shape.nextNorm ? randomValues(E, 2) : undefined);
  return {
    name: [
      `row ${index} of ${V}x${E} g${groupSize} ${scaleType}`,
      firstRow > 0 && `from row ${firstRow}`,
      options.evenInLowNibble === false && "even high",
      options.nextNorm === false && "no next norm",
      limits !== undefined && JSON.stringify(limits),
    ]
      .filter(Boolean)
      .join(" "),
    route: (capabilities) => embeddingLimbsQ4gsw(shape, restrict(capabilities)),
    expectRoute: () => "embedding_q4gsw_limbs",
    reachable: (capabilities) => embedsToLimbs(shape, restrict(capabilities)),
    live: {},
    operands() {
      const { weight, scales } = randomTable(shape);
      const next_norm = next();
      return {
        indices,
        weight,
        scales,
        ...(next_norm === undefined ? {} : { next_norm }),
        out: { bytes: 4 * E },
        out_limbs: { bytes: limbBytes(E) },
      };
    },
    expected() {
      const { weight, values } = randomTable(shape);
      const out = embeddingQ4gswReference(indices, weight, values, shape);
      return {
        out: { type: "f32", values: out },
        out_limbs: isThere
          ? limbExpectation(out, next(), { absolute: 0, relative: 1e-6 })
          : // As the buffer was filled before.
            { type: "u8", values: new Uint8Array(limbBytes(E)).fill(0xff) },
      };
    },
    // One product of numbers of few bits.
    tolerance: { absolute: 0, relative: 1e-7 },
  };
}

/** Models' sizes, then the other layouts, shards, rows that are not there and short grids. */
export const embeddingLimbsSuite = defineSuite("embedding_q4gsw_limbs", [
  limbsCase(512, 2048, 300),
  limbsCase(64, 4096, 63),
  limbsCase(512, 288, 511, { nextNorm: false }),
  limbsCase(64, 64, 5, { groupSize: 64, scaleType: "f32" }),
  limbsCase(33, 96, 32, { groupSize: 96 }),
  limbsCase(7, 96, 6, { groupSize: 8, evenInLowNibble: false }),
  limbsCase(9, 32, 0, { evenInLowNibble: false, scaleType: "f32", nextNorm: false }),
  limbsCase(32, 64, 40, { firstRow: 32 }),
  limbsCase(32, 64, 31, { firstRow: 32 }),
  limbsCase(32, 64, 64, { firstRow: 32 }),
  limbsCase(16, 64, -1),
  limbsCase(16, 64, 2 ** 31 - 1),
  limbsCase(16, 4096, 3, { limits: { maxComputeWorkgroupsPerDimension: 3 } }),
]);
