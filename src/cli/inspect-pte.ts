import type { ByteSource } from "../byte-source.ts";
import { inspectProgram } from "../formats/pte/inspect.ts";
import type {
  Count,
  DelegateSummary,
  MethodSummary,
  ValueSummary,
} from "../formats/pte/inspect.ts";
import { readProgram } from "../formats/pte/read-program.ts";
import { formatBytes } from "./quantities.ts";
import { formatTable } from "./table.ts";

/** Constants that are listed one by one; the rest is summed up. */
const LISTED_CONSTANTS = 10;

const describeValue = (value: ValueSummary): string =>
  value.kind === "tensor" ? `${value.type} [${value.sizes.join(", ")}]` : value.kind;

const describeCounts = (counts: readonly Count[]): string[] =>
  formatTable(
    counts.map(({ name, count }) => ["    ", `${count} ×`, name]),
    [1],
  ).split("\n");

function describeDelegate({ id, byteLength, graph }: DelegateSummary): string[] {
  const title = `  delegate ${id}, ${formatBytes(byteLength)}`;
  if (graph === undefined) return [`${title}: not read`];
  const listed = graph.constants.slice(0, LISTED_CONSTANTS);
  const rest = graph.constants.slice(LISTED_CONSTANTS);
  const restBytes = rest.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return [
    title,
    "    operators",
    ...describeCounts(graph.operators),
    `    ${graph.constants.length} constants, ${formatBytes(graph.constantBytes)}`,
    ...formatTable(
      listed.map(({ type, dims, byteLength }) => [
        "    ",
        `${type ?? "?"} [${dims.join(", ")}]`,
        formatBytes(byteLength),
      ]),
      [2],
    ).split("\n"),
    ...(rest.length === 0 ? [] : [`      and ${rest.length} more, ${formatBytes(restBytes)}`]),
  ];
}

function describeMethod({ name, inputs, outputs, kernels, delegates }: MethodSummary): string[] {
  return [
    "",
    `method ${name}(${inputs.map(describeValue).join(", ")}) → ${outputs.map(describeValue).join(", ")}`,
    ...(kernels.length === 0 ? [] : ["  operators outside of delegates"]),
    ...(kernels.length === 0 ? [] : describeCounts(kernels)),
    ...delegates.flatMap(describeDelegate),
  ];
}

/** What an ExecuTorch program holds, for people. */
export async function inspectPte(source: ByteSource): Promise<string> {
  const summary = await inspectProgram(await readProgram(source));
  const metadata = [...summary.metadata].map(([name, values]) => [`  ${name}`, values.join(", ")]);
  return [
    `${summary.name}: ExecuTorch program, ${formatBytes(summary.byteLength)}`,
    ...(metadata.length === 0 ? [] : ["", "metadata", formatTable(metadata)]),
    ...summary.methods.flatMap(describeMethod),
  ].join("\n");
}
