import { beforeAll, describe, expect, test } from "vitest";
import { requestTestDevice } from "../../../tests/support/gpu.ts";
import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { compare } from "../testing/compare.ts";
import { ramp } from "../testing/data.ts";
import { runRoute } from "../testing/run-route.ts";
import { applyRotaryEmbReference } from "./apply-rotary-emb.reference.ts";
import { hfRotaryShape, rotarySuite, rotaryTables } from "./apply-rotary-emb.suite.ts";
import { applyRotaryEmb } from "./apply-rotary-emb.ts";

testKernelSuite(rotarySuite);

describe("apply_rotary_emb live position", () => {
  let gpu: GpuDevice;
  beforeAll(async () => {
    gpu = await requestTestDevice();
  });

  const shape = hfRotaryShape(16, 8, 128);
  const tables = rotaryTables(16, shape);
  const run = async (S: number, position: number) => {
    const xq = ramp(S * 16 * 128, 17, 8, 16);
    const xk = ramp(S * 8 * 128, 13, 6, 16);
    const route = applyRotaryEmb(shape, gpu.capabilities);
    const results = await runRoute(
      gpu,
      route,
      {
        xq,
        xk,
        ...tables,
        input_pos: Int32Array.of(position),
        xq_out: { bytes: xq.byteLength },
        xk_out: { bytes: xk.byteLength },
      },
      { S },
      ["xq_out", "xk_out"],
    );
    const values = (name: string) => new Float32Array(results[name] ?? new ArrayBuffer(0));
    const expected = (x: Float32Array, heads: number, at: number) =>
      applyRotaryEmbReference(x, heads, tables.cos, tables.sin, shape, at);
    return {
      xq: { actual: values("xq_out"), expectedAt: (at: number) => expected(xq, 16, at) },
      xk: { actual: values("xk_out"), expectedAt: (at: number) => expected(xk, 8, at) },
    };
  };

  test("one route serves a sequence of sizes and positions", async () => {
    const steps = [
      [16, 0],
      [5, 7],
      [1, 15],
      [16, 0],
    ] as const;
    for (const [S, position] of steps) {
      for (const { actual, expectedAt } of Object.values(await run(S, position))) {
        const tolerance = { absolute: 1e-6, relative: 1e-5 };
        expect(compare(actual, expectedAt(position), tolerance).report).toBe("");
      }
    }
  });

  test("a wrong position is seen", async () => {
    for (const { actual, expectedAt } of Object.values(await run(5, 7))) {
      const tolerance = { absolute: 1e-4, relative: 1e-3 };
      expect(compare(actual, expectedAt(0), tolerance).failures).toBeGreaterThan(100);
    }
  });

  test("a position past the table keeps to its last row", async () => {
    for (const { actual, expectedAt } of Object.values(await run(1, 400))) {
      const tolerance = { absolute: 1e-6, relative: 1e-5 };
      expect(compare(actual, expectedAt(15), tolerance).report).toBe("");
    }
  });
});
