import type { ByteSource } from "../byte-source.ts";
import { RequestError, UnsupportedError } from "../errors.ts";
import { joinNamedData, readRange } from "../formats/pte/byte-range.ts";
import type { NamedData } from "../formats/pte/byte-range.ts";
import { tensorByteLength } from "../formats/pte/element-types.ts";
import { VULKAN_BACKEND_ID } from "../formats/pte/inspect.ts";
import { readMetadata } from "../formats/pte/metadata.ts";
import type { MetadataValue } from "../formats/pte/metadata.ts";
import type { Method, Program } from "../formats/pte/program.ts";
import { readDelegate } from "../formats/pte/read-delegate.ts";
import { readProgram } from "../formats/pte/read-program.ts";
import { readPtd } from "../formats/pte/read-ptd.ts";
import { RowSourceCache } from "../formats/pte/row-source-cache.ts";
import { unsupportedOperators } from "../formats/pte/to-graph.ts";
import type { VkGraph } from "../formats/pte/vk-graph.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { ConstantStore } from "../graph/constant-store.ts";
import { DelegateInstance } from "./delegate-instance.ts";
import { COPY_OPERATOR, LoadedMethod } from "./loaded-method.ts";
import type { ProgramInput, ProgramOutput, RunOptions } from "./loaded-method.ts";
import { hostArray } from "./typed-tensor.ts";
import type { TypedTensor } from "./typed-tensor.ts";

export interface ProgramOptions {
  /** `.ptd` files with constants that the program does not hold. */
  readonly data?: readonly ByteSource[];
  /** Methods to load; all by default. */
  readonly methods?: readonly string[];
  readonly signal?: AbortSignal;
}

/** A method's tables and the graphs of its delegates. */
interface ReadMethod {
  readonly method: Method;
  readonly graphs: readonly VkGraph[];
}

/**
 * An ExecuTorch program on the GPU, run as it was exported: any methods, with whatever inputs and
 * outputs. State (KV caches registered as buffers) survives runs. One run at a time.
 */
export class LoadedProgram {
  /** Values of methods that only return constants, by name. */
  readonly metadata: ReadonlyMap<string, readonly MetadataValue[]>;
  readonly #methods: ReadonlyMap<string, LoadedMethod>;
  readonly #constants: ConstantStore;
  readonly #name: string;
  #busy = false;
  #disposed = false;

  private constructor(
    name: string,
    metadata: LoadedProgram["metadata"],
    methods: ReadonlyMap<string, LoadedMethod>,
    constants: ConstantStore,
  ) {
    this.#name = name;
    this.metadata = metadata;
    this.#methods = methods;
    this.#constants = constants;
  }

  /**
   * Reads a program, uploads its constants and compiles its kernels. Rejects with one
   * `UnsupportedError` that names every operator and backend this runtime does not have, with
   * `FormatError` or with `DeviceError`; nothing then stays on the GPU.
   */
  static async load(
    gpu: GpuDevice,
    source: ByteSource,
    options: ProgramOptions = {},
  ): Promise<LoadedProgram> {
    const { signal } = options;
    const program = await readProgram(source, signal);
    const metadata = readMetadata(program);
    const files = await Promise.all((options.data ?? []).map((file) => readPtd(file, signal)));
    const namedData = joinNamedData(program.namedData, ...files.map((file) => file.namedData));
    const read = await readMethods(program, metadata, namedData, options);
    const constants = new ConstantStore(gpu);
    const sources = new RowSourceCache();
    const methods = new Map<string, LoadedMethod>();
    try {
      for (const one of read) {
        const where = `pte: ${source.name}: ${one.method.name}`;
        methods.set(
          one.method.name,
          await loadMethod(gpu, one, where, { sources, constants, namedData }, signal),
        );
      }
    } catch (error) {
      for (const method of methods.values()) await method.dispose();
      constants.dispose();
      throw error;
    }
    return new LoadedProgram(source.name, metadata, methods, constants);
  }

  /** Names of the methods that compute something. */
  get methods(): readonly string[] {
    return [...this.#methods.keys()];
  }

  /**
   * Runs a method. Rejects with `RequestError` for arguments that do not fit: wrong types or sizes,
   * 64-bit integers out of range, positions past a cache, tokens out of the vocabulary. State is
   * then as before.
   */
  async run(
    method: string,
    inputs: readonly ProgramInput[] = [],
    options: RunOptions = {},
  ): Promise<readonly ProgramOutput[]> {
    if (this.#disposed) throw new RequestError(`program ${this.#name}: was disposed`);
    const constant = this.metadata.get(method);
    if (constant !== undefined) return constant;
    const loaded = this.#methods.get(method);
    if (loaded === undefined) {
      const known = [...this.#methods.keys(), ...this.metadata.keys()].join(", ");
      throw new RequestError(`program ${this.#name}: no method "${method}"; there are: ${known}`);
    }
    if (this.#busy) throw new RequestError(`program ${this.#name}: another run is in progress`);
    this.#busy = true;
    try {
      return await loaded.run(inputs, options);
    } finally {
      this.#busy = false;
    }
  }

  /** Frees everything on the GPU but tensors that were kept. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const method of this.#methods.values()) await method.dispose();
    this.#constants.dispose();
  }
}

/** Reads the wanted methods' graphs, and refuses all that is not supported in one message. */
async function readMethods(
  program: Program,
  metadata: LoadedProgram["metadata"],
  namedData: NamedData,
  { methods: wanted, signal }: ProgramOptions,
): Promise<ReadMethod[]> {
  const read: ReadMethod[] = [];
  const missing = new Set<string>();
  for (const [name, method] of program.methods) {
    if (metadata.has(name) || wanted?.includes(name) === false) continue;
    const graphs: VkGraph[] = [];
    for (const { id, blob } of method.delegates) {
      if (id === VULKAN_BACKEND_ID) graphs.push(await readDelegate(blob, namedData, signal));
      else missing.add(`backend ${id}`);
    }
    for (const instruction of method.chains.flatMap(({ instructions }) => instructions)) {
      const operator =
        instruction.kind === "kernel" ? method.operators[instruction.operator] : undefined;
      if (operator !== undefined && operator.name !== COPY_OPERATOR) {
        missing.add([operator.name, operator.overload].filter(Boolean).join("."));
      }
    }
    for (const operator of graphs.flatMap(unsupportedOperators)) missing.add(operator);
    read.push({ method, graphs });
  }
  if (missing.size === 0) return read;
  throw new UnsupportedError(
    `pte: ${program.source.name}: not supported: ${[...missing].join(", ")}`,
  );
}

interface ProgramMemory {
  readonly sources: RowSourceCache;
  readonly constants: ConstantStore;
  readonly namedData: NamedData;
}

async function loadMethod(
  gpu: GpuDevice,
  { method, graphs }: ReadMethod,
  where: string,
  { sources, constants, namedData }: ProgramMemory,
  signal: AbortSignal | undefined,
): Promise<LoadedMethod> {
  const delegates = graphs.map((vk, index) => {
    const name = graphs.length === 1 ? method.name : `${method.name}.${index}`;
    const bounded = boundedInputs(method, index, vk.inputIds.length);
    return new DelegateInstance(gpu, vk, { where, name, bounded, sources, constants });
  });
  try {
    for (const delegate of delegates) await delegate.variant(undefined, signal);
    return new LoadedMethod(
      gpu,
      method,
      where,
      delegates,
      await readConstants(method, namedData, signal),
    );
  } catch (error) {
    for (const delegate of delegates) await delegate.dispose();
    throw error;
  }
}

/** Which of a delegate's inputs vary in size, by the values that are passed to it. */
function boundedInputs(method: Method, delegate: number, count: number): boolean[] {
  const bounded = Array.from({ length: count }, () => false);
  for (const instruction of method.chains.flatMap(({ instructions }) => instructions)) {
    if (instruction.kind !== "delegate" || instruction.delegate !== delegate) continue;
    bounded.forEach((known, input) => {
      const value = method.values[instruction.args[input] ?? -1];
      bounded[input] = known || (value?.kind === "tensor" && value.dynamism !== "static");
    });
  }
  return bounded;
}

/** Constant tensors of the method itself, outside its delegates: small, if there are any. */
async function readConstants(
  method: Method,
  namedData: NamedData,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, TypedTensor>> {
  const constants = new Map<number, TypedTensor>();
  for (const [id, value] of method.values.entries()) {
    if (value.kind !== "tensor") continue;
    const { data, type, sizes: dims } = value;
    const range =
      data.kind === "external"
        ? namedData.get(data.name)
        : data.kind === "constant" || data.kind === "mutable"
          ? data.range
          : undefined;
    if (range === undefined) continue;
    const bytes = await readRange(range, 0, tensorByteLength(type, dims, method.name), signal);
    constants.set(id, { type, dims, data: hostArray(type, bytes) });
  }
  return constants;
}
