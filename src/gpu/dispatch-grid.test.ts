import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeviceError } from "../errors.ts";
import type { Capabilities } from "./capabilities.ts";
import {
  clampWorkgroupCount,
  computeWorkgroupCount1d,
  foldWorkgroupCount,
} from "./dispatch-grid.ts";

const limited = (maxComputeWorkgroupsPerDimension: number) =>
  ({ limits: { maxComputeWorkgroupsPerDimension } }) as Capabilities;

describe("workgroup counts", () => {
  test("one dimension rounds up and throws past the limit", () => {
    expect(computeWorkgroupCount1d(1, 64, limited(65535))).toBe(1);
    expect(computeWorkgroupCount1d(65, 64, limited(65535))).toBe(2);
    expect(computeWorkgroupCount1d(65535 * 64, 64, limited(65535))).toBe(65535);
    expect(() => computeWorkgroupCount1d(65535 * 64 + 1, 64, limited(65535))).toThrow(DeviceError);
    // A sum would overflow 32 bits; division does not.
    expect(() => computeWorkgroupCount1d(2 ** 32 - 1, 1, limited(65535))).toThrow(DeviceError);
  });

  test("a grid-stride kernel gets what the device has, and at least one", () => {
    expect(clampWorkgroupCount(70_000, limited(65535))).toBe(65535);
    expect(clampWorkgroupCount(0, limited(65535))).toBe(1);
  });

  test("a fold keeps one row while it fits, then is near-square", () => {
    expect(foldWorkgroupCount(65535, limited(65535))).toEqual([65535, 1, 1]);
    expect(foldWorkgroupCount(65536, limited(65535))).toEqual([256, 256, 1]);
    expect(foldWorkgroupCount(65537, limited(65535))).toEqual([257, 256, 1]);
    expect(() => foldWorkgroupCount(10, limited(3))).toThrow(DeviceError);
  });

  test("a fold covers every workgroup with less than one row to spare", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 100, max: 1000 }),
        (n, limit) => {
          const [x, y] = foldWorkgroupCount(n, limited(limit));
          expect(Math.max(x, y)).toBeLessThanOrEqual(limit);
          expect(x * y).toBeGreaterThanOrEqual(n);
          expect(x * y - n).toBeLessThan(x);
        },
      ),
    );
  });
});
