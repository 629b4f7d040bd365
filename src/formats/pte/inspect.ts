/** A summary of a program, for people and for `tetrad inspect`. Reads graphs, but no weights. */
import type { NamedData } from "./byte-range.ts";
import type { ScalarType, VkDataType } from "./element-types.ts";
import { readMetadata } from "./metadata.ts";
import type { MetadataValue } from "./metadata.ts";
import type { Delegate, Dynamism, Method, Program, ProgramValue } from "./program.ts";
import { readDelegate } from "./read-delegate.ts";
import type { VkGraph } from "./vk-graph.ts";

/** The backend whose delegates are read. */
export const VULKAN_BACKEND_ID = "VulkanBackend";

export interface ProgramSummary {
  readonly name: string;
  readonly byteLength: number;
  /** Values returned by methods that only return constants. */
  readonly metadata: ReadonlyMap<string, readonly MetadataValue[]>;
  /** The other methods. */
  readonly methods: readonly MethodSummary[];
}

export interface MethodSummary {
  readonly name: string;
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  /** Operators run by the program itself, outside of delegates, by count. */
  readonly kernels: readonly Count[];
  readonly delegates: readonly DelegateSummary[];
}

/** A tensor's type and sizes; another value's kind. */
export type ValueSummary =
  | {
      readonly kind: "tensor";
      readonly type: ScalarType;
      readonly sizes: readonly number[];
      readonly dynamism: Dynamism;
    }
  | { readonly kind: Exclude<ProgramValue["kind"], "tensor"> };

export interface Count {
  readonly name: string;
  readonly count: number;
}

export interface DelegateSummary {
  /** The backend. */
  readonly id: string;
  readonly byteLength: number;
  readonly compileSpecs: ReadonlyMap<string, Uint8Array>;
  /** Undefined for a backend that is not read. */
  readonly graph: GraphSummary | undefined;
}

export interface GraphSummary {
  /** Operators, the most frequent first. */
  readonly operators: readonly Count[];
  /** Constants, the largest first. */
  readonly constants: readonly ConstantSummary[];
  /** Bytes of all constants; one that is used twice counts twice. */
  readonly constantBytes: number;
}

export interface ConstantSummary {
  /** Index in the graph's constants. */
  readonly id: number;
  readonly byteLength: number;
  /** Type and sizes of the tensor that starts with these bytes, where one does. */
  readonly type: VkDataType | undefined;
  readonly dims: readonly number[];
}

/** Summarises a program; `namedData` where `.ptd` files hold a part of it. */
export async function inspectProgram(
  program: Program,
  namedData: NamedData = program.namedData,
  signal?: AbortSignal,
): Promise<ProgramSummary> {
  const metadata = readMetadata(program);
  const methods: MethodSummary[] = [];
  for (const [name, method] of program.methods) {
    if (!metadata.has(name)) methods.push(await summarizeMethod(method, namedData, signal));
  }
  const { source } = program;
  return { name: source.name, byteLength: source.byteLength, metadata, methods };
}

async function summarizeMethod(
  method: Method,
  namedData: NamedData,
  signal: AbortSignal | undefined,
): Promise<MethodSummary> {
  const kernels: string[] = [];
  for (const instruction of method.chains.flatMap((chain) => chain.instructions)) {
    if (instruction.kind !== "kernel") continue;
    const operator = method.operators[instruction.operator];
    if (operator) kernels.push([operator.name, operator.overload].filter(Boolean).join("."));
  }
  const delegates: DelegateSummary[] = [];
  for (const delegate of method.delegates) {
    delegates.push(await summarizeDelegate(delegate, namedData, signal));
  }
  const values = (indices: readonly number[]): ValueSummary[] =>
    indices.flatMap((index) => method.values[index] ?? []).map(summarizeValue);
  return {
    name: method.name,
    inputs: values(method.inputs),
    outputs: values(method.outputs),
    kernels: histogram(kernels),
    delegates,
  };
}

function summarizeValue(value: ProgramValue): ValueSummary {
  if (value.kind !== "tensor") return { kind: value.kind };
  const { kind, type, sizes, dynamism } = value;
  return { kind, type, sizes, dynamism };
}

async function summarizeDelegate(
  delegate: Delegate,
  namedData: NamedData,
  signal: AbortSignal | undefined,
): Promise<DelegateSummary> {
  const { id, blob, compileSpecs } = delegate;
  const graph =
    id === VULKAN_BACKEND_ID
      ? summarizeGraph(await readDelegate(blob, namedData, signal))
      : undefined;
  return { id, byteLength: blob.byteLength, compileSpecs, graph };
}

function summarizeGraph(graph: VkGraph): GraphSummary {
  const tensors = graph.values.filter((value) => value.kind === "tensor");
  const tensorOf = new Map(tensors.map((tensor) => [tensor.constantId, tensor]));
  const constants = graph.constants.map(({ range }, id) => {
    const tensor = tensorOf.get(id);
    return { id, byteLength: range.byteLength, type: tensor?.type, dims: tensor?.dims ?? [] };
  });
  return {
    operators: histogram(graph.chain.map((call) => call.name)),
    constants: constants.sort((a, b) => b.byteLength - a.byteLength),
    constantBytes: constants.reduce((sum, constant) => sum + constant.byteLength, 0),
  };
}

function histogram(names: readonly string[]): Count[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}
