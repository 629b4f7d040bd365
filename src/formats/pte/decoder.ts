/** A program with a language model's signature → `DecoderGraph`. */
import { FormatError, UnsupportedError } from "../../errors.ts";
import type { DecoderGraph, DecoderOptions } from "../../graph/decoder-graph.ts";
import { elementCount } from "../../graph/ir.ts";
import type { Node, Tensor } from "../../graph/ir.ts";
import { lookUpOp } from "../../graph/ops/index.ts";
import { ArgumentReader } from "../../graph/ops/op.ts";
import { maxOf, symIntRoot } from "../../graph/symint.ts";
import type { SymIntRoot } from "../../graph/symint.ts";
import { ConstantPool } from "./constant-pool.ts";
import { VULKAN_BACKEND_ID } from "./inspect.ts";
import { inputShapes } from "./input-shapes.ts";
import { readMetadata } from "./metadata.ts";
import type { MetadataValue } from "./metadata.ts";
import type { Method, Program } from "./program.ts";
import { readDelegate } from "./read-delegate.ts";
import type { NamedData } from "./byte-range.ts";
import { RowSourceCache } from "./row-source-cache.ts";
import { delegateGraph } from "./to-graph.ts";
import type { DelegateGraph, DelegateInput } from "./to-graph.ts";
import type { VkGraph } from "./vk-graph.ts";

/** A language model in a program: what it says of itself, and how to build its graph. */
export interface ProgramDecoder {
  /** Positions its caches hold, and most tokens of one run. */
  readonly contextLength: number;
  readonly maxSequenceLength: number;
  readonly vocabularySize: number;
  /** Ids that end a text; none where the program names none. */
  readonly endIds: readonly number[];
  readonly bosId: number | undefined;
  /** Values of all matrices and vectors, caches apart. */
  readonly parameters: number;
  /** The graph, with shorter caches or chunks where the options ask for them. */
  build(options: DecoderOptions): DecoderGraph;
}

/** The one delegate call of `forward`. */
interface DecoderMethod {
  readonly method: Method;
  readonly vk: VkGraph;
  /** Values passed to the delegate, its results last. */
  readonly args: readonly number[];
}

/**
 * Recognises a language model: `forward(tokens i64 [1, S], input_pos i64 [1]) → logits f32 [1, V]`
 * (or [1, S, V]) in one delegate, with its caches inside. Throws `UnsupportedError` where the
 * program is something else.
 */
export async function openProgramDecoder(
  program: Program,
  namedData: NamedData = program.namedData,
  signal?: AbortSignal,
): Promise<ProgramDecoder> {
  const where = `pte: ${program.source.name}`;
  const metadata = readMetadata(program);
  if (metadata.get("use_kv_cache")?.[0] === false) {
    throw new UnsupportedError(`${where}: exported without a KV cache`);
  }
  const read = await readDecoderMethod(program, where, namedData, signal);
  const sources = new RowSourceCache();
  const build = (options: DecoderOptions) => buildDecoder(read, where, sources, options);
  const whole = build({
    contextLength: Infinity,
    maxSequenceLength: Infinity,
    cacheType: "f32",
  });
  const stated = number(metadata, "get_max_context_len") ?? number(metadata, "get_max_seq_len");
  return {
    contextLength: Math.min(whole.contextLength, stated ?? Infinity),
    maxSequenceLength: whole.sequenceLength.max,
    vocabularySize: whole.vocabularySize,
    endIds: (metadata.get("get_eos_ids") ?? []).filter((id) => typeof id === "number"),
    bosId: number(metadata, "get_bos_id"),
    parameters: countParameters(whole),
    build,
  };
}

function number(
  metadata: ReadonlyMap<string, readonly MetadataValue[]>,
  name: string,
): number | undefined {
  const [value] = metadata.get(name) ?? [];
  return typeof value === "number" ? value : undefined;
}

async function readDecoderMethod(
  program: Program,
  where: string,
  namedData: NamedData,
  signal: AbortSignal | undefined,
): Promise<DecoderMethod> {
  const method = program.methods.get("forward");
  if (method === undefined) throw new UnsupportedError(`${where}: no method "forward"`);
  const calls = method.chains
    .flatMap(({ instructions }) => instructions)
    .filter(({ kind }) => kind !== "free");
  const [call] = calls;
  const delegate = call?.kind === "delegate" ? method.delegates[call.delegate] : undefined;
  if (calls.length !== 1 || call?.kind !== "delegate" || delegate?.id !== VULKAN_BACKEND_ID) {
    throw new UnsupportedError(
      `${where}: a language model must be one call of one ${VULKAN_BACKEND_ID} delegate`,
    );
  }
  const vk = await readDelegate(delegate.blob, namedData, signal);
  if (call.args.length !== vk.inputIds.length + vk.outputIds.length) {
    throw new FormatError(`${where}: a delegate call of ${call.args.length} arguments`);
  }
  checkSignature(method, where);
  return { method, vk, args: call.args };
}

function checkSignature({ values, inputs, outputs }: Method, where: string): void {
  const shape = (id: number | undefined) => {
    const value = id === undefined ? undefined : values[id];
    return value?.kind === "tensor" ? `${value.type} rank ${value.sizes.length}` : "no tensor";
  };
  const [found, result] = [inputs.map(shape).join(", "), outputs.map(shape).join(", ")];
  const fits =
    found === "i64 rank 2, i64 rank 1" && (result === "f32 rank 2" || result === "f32 rank 3");
  if (fits) return;
  throw new UnsupportedError(
    `${where}: forward(${found}) → ${result}; ` +
      `a language model is forward(tokens i64 [1, S], input_pos i64 [1]) → f32 [1, V] or [1, S, V]`,
  );
}

function buildDecoder(
  { method, vk, args }: DecoderMethod,
  where: string,
  sources: RowSourceCache,
  options: DecoderOptions,
): DecoderGraph {
  const bounded = vk.inputIds.map((_, index) => {
    const value = method.values[args[index] ?? -1];
    return value?.kind === "tensor" && value.dynamism !== "static";
  });
  const shapes = inputShapes(vk, bounded).map((dims) =>
    dims.map((dim) =>
      typeof dim === "number" ? dim : { ...dim, max: Math.min(dim.max, options.maxSequenceLength) },
    ),
  );
  // What caches hold before they are written is never read: attention is causal.
  const state = { cacheType: options.cacheType, initialData: false, length: options.contextLength };
  const pool = new ConstantPool(vk, where, sources, state);
  const limit = Number.isFinite(options.contextLength)
    ? { maxPositions: options.contextLength }
    : {};
  const built = delegateGraph(vk, { where, name: "forward", pool, shapes, ...limit });
  const input = (index: number) => {
    const found = built.inputs[args.indexOf(method.inputs[index] ?? -1)];
    if (found?.kind !== "tensor") {
      throw new UnsupportedError(`${where}: input ${index} is not used as a tensor`);
    }
    return found;
  };
  const tokens = input(0).tensor;
  const inputPos = input(1);
  const position = positionRoot(inputPos, where);
  const { graph, logits } = withLastLogits(built, where);
  return {
    graph,
    tokens,
    inputPos: inputPos.tensor,
    logits,
    sequenceLength: sequenceRoot(tokens, where),
    position,
    contextLength: position.max + 1,
    vocabularySize: maxOf(logits.dims[1] ?? 1),
  };
}

function positionRoot(
  { tensor, elements }: Extract<DelegateInput, { kind: "tensor" }>,
  where: string,
): SymIntRoot {
  const root = elements.find(({ index }) => index === 0)?.root;
  if (root === undefined || root.min !== 0 || maxOf(elementCount(tensor.dims)) !== 1) {
    throw new UnsupportedError(`${where}: input_pos is not used as the position in a cache`);
  }
  return root;
}

/** S; in a program of fixed shape a symbol that is always 1. */
function sequenceRoot({ dims }: Tensor, where: string): SymIntRoot {
  const [batch, S] = dims;
  if (batch === 1 && S === 1) return symIntRoot("sequence_length", 1, 1);
  if (batch === 1 && typeof S === "object" && S.kind === "root") return S;
  throw new UnsupportedError(
    `${where}: tokens are [${dims.map(maxOf).join(", ")}], must be [1, 1] or [1, S] of any S`,
  );
}

/** The graph with logits [1, V], of the last token where it has those of all. */
function withLastLogits(
  { graph, outputs }: DelegateGraph,
  where: string,
): Pick<DecoderGraph, "graph" | "logits"> {
  const [output] = outputs;
  if (outputs.length !== 1 || output?.kind !== "tensor" || output.tensor.dims[0] !== 1) {
    throw new UnsupportedError(`${where}: a language model has one output, for one sequence`);
  }
  const { tensor } = output;
  if (tensor.dims.length === 2) return { graph, logits: tensor };
  const op = "aten.select_copy.int";
  const args = [tensor, 1, -1];
  const [type] = lookUpOp(op).infer(new ArgumentReader(op, args));
  if (type === undefined) throw new Error(`decoder: ${op} has a result`);
  const logits: Tensor = {
    kind: "tensor",
    name: "last_logits",
    dtype: type.dtype,
    dims: type.dims,
    storage: { kind: "activation" },
  };
  const node: Node = { op, args, results: [logits] };
  return { graph: { ...graph, nodes: [...graph.nodes, node], outputs: [logits] }, logits };
}

/** Readers of rotary tables, which are constants but were not learned. */
const TABLE_READERS: ReadonlySet<string> = new Set([
  "aten.slice_copy.Tensor",
  "aten.index.Tensor",
  "et_vk.apply_rotary_emb.default",
  "et_vk.apply_rotary_emb_hf.default",
]);

/** Values of 4-bit matrices and of everything else that is neither scales nor tables. */
function countParameters({ graph }: DecoderGraph): number {
  const seen = new Set<Tensor>();
  let count = 0;
  for (const { op, args } of graph.nodes) {
    if (TABLE_READERS.has(op)) continue;
    for (const arg of args) {
      const tensor = typeof arg === "object" && arg !== null && "storage" in arg ? arg : undefined;
      if (tensor?.storage.kind !== "constant" || seen.has(tensor)) continue;
      seen.add(tensor);
      const { storage } = tensor;
      if (storage.plane > 0) continue;
      const isQ4 = storage.data.planeRowBytes.length > 1;
      count += maxOf(elementCount(tensor.dims)) * (isQ4 ? 2 : 1);
    }
  }
  return count;
}
