import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { FIXTURE_NAMES } from "../support/pte-fixtures.ts";
import type { FixtureResult } from "../support/pte-fixtures.ts";
import { testPage } from "./page.ts";

const open = testPage(fileURLToPath(new URL("programs.html", import.meta.url)), {
  folders: { "/fixtures": fileURLToPath(new URL("../fixtures/pte", import.meta.url)) },
});

test("every ExecuTorch fixture agrees with its goldens in Chromium", async () => {
  const { page, errors } = open();
  const results = await page.evaluate(
    () => (globalThis as unknown as { programRun: Promise<FixtureResult[]> }).programRun,
  );
  expect(results.map(({ name }) => name)).toEqual(FIXTURE_NAMES);
  for (const { name, failure } of results) expect(failure, name).toBe("");
  expect(errors).toEqual([]);
});
