import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { testPage } from "./page.ts";
import type { TunedPage } from "./tune-page.ts";

const open = testPage(fileURLToPath(new URL("tune.html", import.meta.url)), {
  folders: { "/models": fileURLToPath(new URL("../../models/stories-14m", import.meta.url)) },
});

test("what a page measured is kept for its next visit", async () => {
  const { page, errors } = open();
  const visit = () =>
    page.evaluate(() => (globalThis as unknown as { tuned: Promise<TunedPage> }).tuned);
  const first = await visit();
  expect(first.statuses).toContain("tune");
  expect(first.warnings.join()).not.toContain("tune:");
  await page.reload();
  const second = await visit();
  expect(second.statuses).not.toContain("tune");
  expect(second.tokens).toEqual(first.tokens);
  expect(errors).toEqual([]);
});
