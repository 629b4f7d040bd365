import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { PageRun } from "../device/browser.ts";
import { testPage } from "./page.ts";

const html = fileURLToPath(new URL("../device/browser.html", import.meta.url));
const open = testPage(html);

test("all kernel suites pass in Chromium, under a strict content security policy", async () => {
  const { page, errors } = open();
  const run = await page.evaluate(
    () => (globalThis as unknown as { kernelRun: Promise<PageRun> }).kernelRun,
  );
  const failures = run.results
    .filter(({ failure }) => failure !== "")
    .map(({ operator, name, variant, failure }) => `${operator} ${name} ${variant}: ${failure}`);
  expect(failures).toEqual([]);
  expect(run.uncaptured).toEqual([]);
  expect(errors).toEqual([]);
  expect(run.results.length).toBeGreaterThan(0);
});
