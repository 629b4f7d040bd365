import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { PageRun } from "../device/browser.ts";
import { testPage } from "./page.ts";

const html = fileURLToPath(new URL("../device/browser.html", import.meta.url));
/**
 * A browser's kernels are compiled by another Tint, and run on the adapter on which Node runs every case: each
 * runs once.
 */
const query = process.env["TETRAD_HEAVY"] === "1" ? "" : "?once";
const open = testPage(html, { query });

test("every suite's kernels pass in Chromium, under a strict content security policy", async () => {
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
