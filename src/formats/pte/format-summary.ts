import type {
  Count,
  DelegateSummary,
  GraphSummary,
  MethodSummary,
  ProgramSummary,
  ValueSummary,
} from "./inspect.ts";

/** Constants listed of each delegate, the largest first. */
const LISTED_CONSTANTS = 10;

/** A program's summary as lines of text. */
export function formatProgramSummary(summary: ProgramSummary): string {
  return [
    `${summary.name}: ExecuTorch program, ${summary.byteLength} bytes`,
    ...[...summary.metadata].map(([name, values]) => `  ${name}: ${values.join(", ")}`),
    ...summary.methods.flatMap(methodLines),
  ].join("\n");
}

function methodLines(method: MethodSummary): string[] {
  return [
    `method ${method.name}`,
    ...method.inputs.map((value, i) => `  input ${i}: ${formatValue(value)}`),
    ...method.outputs.map((value, i) => `  output ${i}: ${formatValue(value)}`),
    ...method.kernels.map((count) => `  kernel ${formatCount(count)}`),
    ...method.delegates.flatMap(delegateLines),
  ];
}

/** `i64 [1, ≤511]`: which of a bounded tensor's sizes vary is not in the file; those of 1 do not. */
function formatValue(value: ValueSummary): string {
  if (value.kind !== "tensor") return value.kind;
  const sizes = value.sizes.map((size) => {
    if (value.dynamism === "unbounded") return "?";
    return value.dynamism === "bounded" && size > 1 ? `≤${size}` : String(size);
  });
  return `${value.type} [${sizes.join(", ")}]`;
}

function delegateLines(delegate: DelegateSummary): string[] {
  const specs = [...delegate.compileSpecs].map(([key, bytes]) => `${key}=${bytes.join(" ")}`);
  const title = [`  delegate ${delegate.id}: ${delegate.byteLength} bytes`, ...specs].join(", ");
  return delegate.graph === undefined ? [title] : [title, ...graphLines(delegate.graph)];
}

function graphLines(graph: GraphSummary): string[] {
  return [
    ...graph.operators.map((count) => `    ${formatCount(count)}`),
    `    ${graph.constants.length} constants, ${graph.constantBytes} bytes`,
    ...graph.constants
      .slice(0, LISTED_CONSTANTS)
      .map(({ id, byteLength, type, dims }) =>
        [
          `      #${id}: ${byteLength} bytes`,
          ...(type ? [`${type} [${dims.join(", ")}]`] : []),
        ].join(", "),
      ),
  ];
}

function formatCount({ name, count }: Count): string {
  return `${count} × ${name}`;
}
