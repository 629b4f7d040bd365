import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { buildPage } from "./build-page.ts";
import { launchChromium } from "./chromium.ts";
import { startStaticServer } from "./static-server.ts";
import type { StaticServer } from "./static-server.ts";

/** A built page in Chromium, for the tests of a file. */
export interface TestPage {
  readonly page: Page;
  readonly server: StaticServer;
  /** What the page logged as errors, uncaught ones and refusals of its policy included. */
  readonly errors: readonly string[];
}

/**
 * Builds `html`, serves it (and `folders`, by path prefix) and opens it in Chromium. Returns how to
 * get at it once the tests run.
 */
export function testPage(
  html: string,
  { query = "", folders = {} }: { query?: string; folders?: Readonly<Record<string, string>> } = {},
): () => TestPage {
  let opened: TestPage | undefined;
  let server: StaticServer | undefined;
  let browser: Browser | undefined;
  beforeAll(async () => {
    const folder = await buildPage(html);
    server = await startStaticServer({ ...folders, "/": folder });
    browser = await launchChromium();
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    page.setDefaultTimeout(0);
    await page.goto(`${server.origin}/${html.slice(html.lastIndexOf("/") + 1)}${query}`);
    opened = { page, server, errors };
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  return () => {
    if (opened === undefined) throw new Error("the page is opened before the first test");
    return opened;
  };
}
