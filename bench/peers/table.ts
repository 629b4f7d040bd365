/** Results as Markdown: rows are what was measured, columns the engines. */
import { measurementOf } from "../../src/bench/statistics.ts";
import type { EngineResult } from "./run-engine.ts";

export interface ShapeResult {
  /** The shape's name, or the file's. */
  readonly name: string;
  /** The whole model. */
  readonly engines: readonly EngineResult[];
  /** Single products. */
  readonly products: readonly EngineResult[];
}

const PHASES = ["prefill", "decode"] as const;

/** Median and, in brackets, the least and the most. */
function cell(runs: readonly number[] | undefined): string {
  if (runs === undefined) return "–";
  const { median, min, max } = measurementOf(runs);
  const maximumFractionDigits = median < 100 ? 1 : 0;
  const format = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits });
  return `${format(median)} (${format(min)}–${format(max)})`;
}

function table(
  corner: string,
  engines: readonly EngineResult[],
  rows: readonly (readonly [
    label: string,
    runs: (engine: EngineResult) => readonly number[] | undefined,
  ])[],
): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line([corner, ...engines.map(({ title }) => title)]),
    line(["---", ...engines.map(() => "---")]),
    ...rows.map(([label, runs]) => line([label, ...engines.map((engine) => cell(runs(engine)))])),
    "",
  ];
}

/** How many tokens of an engine's answers are the first engine's, up to one that differs. */
function agreement(engine: EngineResult, reference: EngineResult): string {
  const counts = engine.contexts.map(({ context, tokens }) => {
    const expected = reference.contexts.find((other) => other.context === context)?.tokens;
    if (expected === undefined) return `none known after ${context}`;
    const differs = tokens.findIndex((token, i) => token !== expected[i]);
    return `${differs < 0 ? tokens.length : differs} of ${tokens.length} after ${context}`;
  });
  return counts.join(", ");
}

function notes(engines: readonly EngineResult[]): string[] {
  const [reference] = engines;
  const lines = engines.flatMap((engine) => {
    const { title, device, contexts, failure } = engine;
    const same =
      reference === undefined || engine === reference || contexts.length === 0
        ? []
        : [`the same tokens as ${reference.title}: ${agreement(engine, reference)}`];
    const facts = [
      ...(device === "" ? [] : [`on ${device}`]),
      ...same,
      ...(failure === undefined ? [] : [failure]),
    ];
    return facts.map((fact) => `- ${title}: ${fact}`);
  });
  return lines.length === 0 ? [] : [...lines, ""];
}

/** The tables of one shape, and what there is to say about each engine. */
export function formatResult(
  { name, engines, products }: ShapeResult,
  contexts: readonly number[],
): string {
  const modelRows = PHASES.flatMap((phase) =>
    contexts.map((context) => {
      const label = phase === "prefill" ? `prefill ${context}` : `decode after ${context}`;
      const runs = (engine: EngineResult) =>
        engine.contexts.find((result) => result.context === context)?.[phase];
      return [label, runs] as const;
    }),
  );
  const measured = products.find(({ projections }) => projections.length > 0)?.projections ?? [];
  const productRows = measured.map(({ projection: { name: product, M, K, N } }, i) => {
    const runs = (engine: EngineResult) => engine.projections[i]?.microseconds;
    return [`${product}, ${M} × ${K} → ${N}`, runs] as const;
  });
  return [
    ...table(`${name}, tokens/s`, engines, modelRows),
    ...notes(engines),
    ...(products.length === 0
      ? []
      : [...table(`${name}, µs a product`, products, productRows), ...notes(products)]),
  ].join("\n");
}
