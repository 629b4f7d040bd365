import { describe, expect, test } from "vitest";
import type { DispatchRecord } from "../gpu/query-pool.ts";
import { NO_WORK } from "../gpu/work.ts";
import { profileBars } from "./bar-chart.ts";
import { profileTrace } from "./chrome-trace.ts";
import { summarizeKernels } from "./profile.ts";
import type { ProfiledRun } from "./profile.ts";
import { profileSvg } from "./timeline-svg.ts";
import { profileTsv } from "./tsv.ts";

const record = (
  index: number,
  kernel: string,
  startNs: number,
  endNs: number,
  durationNs = endNs - startNs,
): DispatchRecord => ({
  index,
  kernel,
  grid: [4, 2, 1],
  workgroup: [64, 1, 1],
  work: NO_WORK,
  startNs,
  endNs,
  durationNs,
});

/** A prompt, then three steps of 10 µs with 4 µs of pause, the second of which is slower. */
const RUNS: readonly ProfiledRun[] = [
  {
    phase: "prefill",
    position: 0,
    tokens: 5,
    records: [
      record(0, "gemm", 0, 30_000),
      // Pinned to the start of the first.
      record(1, "soft<max>", 0, 34_000, 4000),
    ],
  },
  ...[40_000, 60_000, 90_000].map((at, step): ProfiledRun => {
    const longer = step === 1 ? 5000 : 0;
    return {
      phase: "decode",
      position: 5 + step,
      tokens: 1,
      records: [
        record(2 + 3 * step, "gemv", at, at + 2000),
        record(3 + 3 * step, "soft<max>", at + 2000, at + 3000),
        record(4 + 3 * step, "gemv", at + 7000, at + 10_000 + longer),
      ],
    };
  }),
];

test("kernels are summed up, the longest first", () => {
  const decode = RUNS.slice(1).flatMap(({ records }) => records);
  expect(summarizeKernels(decode)).toEqual([
    { kernel: "gemv", calls: 6, totalNs: 20_000, meanNs: 20_000 / 6, share: 20 / 23 },
    { kernel: "soft<max>", calls: 3, totalNs: 3000, meanNs: 1000, share: 3 / 23 },
  ]);
  expect(summarizeKernels([record(0, "k", 5, 5)])[0]?.share).toBe(0);
});

test("tab-separated values: a row per dispatch, then a row per phase and kernel", () => {
  const [dispatches, kernels] = profileTsv(RUNS)
    .trimEnd()
    .split("\n\n")
    .map((table) => table.split("\n").map((line) => line.split("\t")));
  expect(dispatches![0]!.slice(0, 4)).toEqual(["idx", "kernel", "gwg", "duration_us"]);
  expect(dispatches!.length).toBe(1 + 11);
  expect(dispatches![2]).toEqual(["1", "soft<max>", "4x2x1", "4.000", "64x1x1", "prefill", "0"]);
  expect(dispatches!.at(-1)!.slice(-2)).toEqual(["decode", "7"]);
  expect(kernels).toEqual([
    ["phase", "kernel", "calls", "mean_us", "total_us"],
    ["prefill", "gemm", "1", "30.000", "30.000"],
    ["prefill", "soft<max>", "1", "4.000", "4.000"],
    ["decode", "gemv", "6", "3.333", "20.000"],
    ["decode", "soft<max>", "3", "1.000", "3.000"],
  ]);
});

test("a bar is as long as its share of the longest", () => {
  const lines = profileBars(RUNS).split("\n");
  expect(lines[0]).toMatch(/^prefill +calls +total µs +mean µs +share$/);
  const gemm = lines.find((line) => line.startsWith("gemm"));
  expect(gemm).toMatch(/^gemm +1 +30\.0 +30\.0 +88\.2 % {2}█{24}$/);
  const softmax = lines.findLast((line) => line.startsWith("soft<max>"));
  // 3 / 20 of 24 characters are 3.6: three and five eighths.
  expect(softmax).toMatch(/^soft<max> +3 +3\.0 +1\.0 +13\.0 % {2}███▋$/u);
  expect(lines.at(-1)).toMatch(/^3 tokens +9 +23\.0 +7\.7 µs a token$/);
  expect(profileBars([])).toBe("");
});

describe("the trace", () => {
  interface Event {
    name: string;
    ph: string;
    tid: number;
    cat: string;
    ts: number;
    dur: number;
  }
  const { traceEvents } = JSON.parse(profileTrace(RUNS)) as { traceEvents: Event[] };
  const spans = traceEvents.filter(({ ph }) => ph === "X");

  test("names its rows and holds every run and dispatch", () => {
    expect(traceEvents.filter(({ ph }) => ph === "M").map(({ name }) => name)).toEqual([
      "process_name",
      "thread_name",
      "thread_name",
    ]);
    expect(spans.filter(({ cat }) => cat === "run").length).toBe(4);
    expect(spans.filter(({ cat }) => cat === "dispatch").length).toBe(11);
    expect(spans[0]).toMatchObject({ name: "prefill of positions 0 to 4", tid: 0, ts: 0, dur: 34 });
    expect(spans[2]).toMatchObject({ name: "soft<max>", tid: 0, ts: 30, dur: 4 });
  });

  test("dispatches lie in their run, one after the other", () => {
    let run: Event | undefined;
    let end = 0;
    for (const span of spans) {
      expect(span.ts).toBeGreaterThanOrEqual(end);
      if (span.cat === "run") run = span;
      else {
        end = span.ts + span.dur;
        expect(span.tid).toBe(run!.tid);
        expect(end).toBeLessThanOrEqual(run!.ts + run!.dur);
      }
    }
  });
});

describe("the picture", () => {
  const svg = profileSvg(RUNS, { title: 'A "model" & more', detail: "on <a> GPU" });

  /** Elements with their attributes; throws where tags do not nest or text is not escaped. */
  function parse(xml: string): { name: string; attributes: Record<string, string> }[] {
    const open: string[] = [];
    const elements: { name: string; attributes: Record<string, string> }[] = [];
    const rest = xml.replace(
      /<(\/?)(\w+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
      (_, closing: string, name: string, attributes: string, empty: string) => {
        if (closing !== "") {
          expect(open.pop()).toBe(name);
          return "";
        }
        const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)];
        elements.push({ name, attributes: Object.fromEntries(pairs.map(([, k, v]) => [k!, v!])) });
        if (empty === "") open.push(name);
        return "";
      },
    );
    expect(open).toEqual([]);
    expect(rest).not.toMatch(/[<>]|&(?!#\d+;)/);
    return elements;
  }

  test("is well-formed, and nothing in it runs or is fetched", () => {
    const elements = parse(svg);
    expect(elements[0]!.name).toBe("svg");
    expect(elements.map(({ name }) => name)).not.toContain("script");
    expect(svg.match(/https?:|href|url\(|\bon\w+=/g)).toEqual(["http:"]);
    expect(svg).toContain("<title>A &#34;model&#34; &#38; more</title>");
    expect(parse(profileSvg([])).length).toBeGreaterThan(0);
    expect(profileSvg([])).toContain("no times were taken");
  });

  test("draws the median step, each dispatch on the common line and in its lane", () => {
    const tooltips = [...svg.matchAll(/<title>([^<]*)<\/title>/g)].map(([, text]) => text!);
    const inPicture = (index: number) =>
      tooltips.filter((text) => text.includes(`dispatch ${index}\n`)).length;
    // The steps take 6, 11 and 6 µs; of equals the later is shown.
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(inPicture)).toEqual([
      2, 2, 0, 0, 0, 0, 0, 0, 2, 2, 2,
    ]);
    expect(tooltips.filter((text) => text.startsWith("decode of position")).length).toBe(3);
  });

  test("stays within its width", () => {
    for (const { attributes } of parse(svg)) {
      const right = Number(attributes["x"] ?? 0) + Number(attributes["width"] ?? 0);
      expect(right).toBeLessThanOrEqual(1400);
    }
  });

  test("gives a kernel one colour", () => {
    const colors = new Map<string, Set<string>>();
    for (const [, color, kernel] of svg.matchAll(/fill="(#\w+)"><title>([^\n]+)\n/g)) {
      colors.set(kernel!, (colors.get(kernel!) ?? new Set()).add(color!));
    }
    expect([...colors].map(([kernel, set]) => [kernel, set.size])).toEqual([
      ["gemm", 1],
      ["soft&#60;max&#62;", 1],
      ["gemv", 1],
    ]);
    expect(new Set([...colors.values()].flatMap((set) => [...set])).size).toBe(3);
  });
});
