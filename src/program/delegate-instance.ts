import { FormatError, RequestError } from "../errors.ts";
import { ConstantPool } from "../formats/pte/constant-pool.ts";
import { inputShapes } from "../formats/pte/input-shapes.ts";
import type { RowSourceCache } from "../formats/pte/row-source-cache.ts";
import { delegateGraph } from "../formats/pte/to-graph.ts";
import type { DelegateInput } from "../formats/pte/to-graph.ts";
import type { VkGraph } from "../formats/pte/vk-graph.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { BufferSet } from "../graph/buffer-set.ts";
import { checkConditions } from "../graph/conditions.ts";
import type { ConstantStore } from "../graph/constant-store.ts";
import type { Tensor } from "../graph/ir.ts";
import type { SymIntRoot } from "../graph/symint.ts";
import { DelegateVariant } from "./delegate-variant.ts";
import { readTensor } from "./gpu-tensor.ts";
import { encodeTensor, gpuByteLength, gpuType } from "./typed-tensor.ts";
import { tensorShape } from "./values.ts";
import type { Value } from "./values.ts";

/** Graphs kept for shapes that need one of their own; beyond, the oldest goes. */
const MAX_VARIANTS = 8;

export interface InstanceOptions {
  /** For messages. */
  readonly where: string;
  readonly name: string;
  /** Which of the inputs vary in size. */
  readonly bounded: readonly boolean[];
  readonly sources: RowSourceCache;
  readonly constants: ConstantStore;
}

/** A call whose arguments were checked; nothing was written yet. */
export interface PreparedCall {
  readonly variant: DelegateVariant;
  readonly roots: readonly (readonly [SymIntRoot, number])[];
  readonly writes: readonly {
    readonly tensor: Tensor;
    readonly from: Uint8Array<ArrayBuffer> | { readonly buffer: GPUBuffer; readonly bytes: number };
  }[];
}

/** An output after a call. */
export type CallOutput =
  | { readonly kind: "tensor"; readonly tensor: Tensor; readonly dims: readonly number[] }
  | { readonly kind: "int"; readonly value: number };

/** One delegate of a program on the GPU: constants, state, and a plan for every shape it met. */
export class DelegateInstance {
  readonly #gpu: GpuDevice;
  readonly #vk: VkGraph;
  readonly #options: InstanceOptions;
  readonly #pool: ConstantPool;
  readonly #state: BufferSet;
  readonly #variants = new Map<string, Promise<DelegateVariant>>();

  constructor(gpu: GpuDevice, vk: VkGraph, options: InstanceOptions) {
    this.#gpu = gpu;
    this.#vk = vk;
    this.#options = options;
    this.#pool = new ConstantPool(vk, options.where, options.sources);
    this.#state = new BufferSet(gpu, `${options.name}.state`, options.constants);
  }

  get inputCount(): number {
    return this.#vk.inputIds.length;
  }

  get outputCount(): number {
    return this.#vk.outputIds.length;
  }

  /** The graph for these input dims; the file's bounds where there are none. */
  variant(actual?: readonly (readonly number[])[], signal?: AbortSignal): Promise<DelegateVariant> {
    const { where, name, bounded, constants } = this.#options;
    const shapes = inputShapes(this.#vk, bounded, actual);
    const key = JSON.stringify(shapes);
    const known = this.#variants.get(key);
    if (known !== undefined) return known;
    const make = async () => {
      const graph = delegateGraph(this.#vk, { where, name, pool: this.#pool, shapes });
      const shared = { constants, state: this.#state };
      const options = { sharesKernels: this.#hasVariants() };
      return DelegateVariant.create(this.#gpu, graph, shared, options, signal);
    };
    const made = make();
    this.#variants.set(key, made);
    made.catch(() => this.#variants.delete(key));
    this.#evict();
    return made;
  }

  /** Whether some sizes of the inputs have a graph of their own. */
  #hasVariants(): boolean {
    const { bounded } = this.#options;
    return inputShapes(this.#vk, bounded).some(
      (dims, input) =>
        bounded[input] === true && dims.some((dim) => typeof dim === "number" && dim > 1),
    );
  }

  #evict(): void {
    if (this.#variants.size <= MAX_VARIANTS) return;
    // The first is the one for the file's bounds.
    const [, second] = this.#variants.keys();
    if (second === undefined) return;
    void this.#variants.get(second)?.then((variant) => variant.dispose());
    this.#variants.delete(second);
  }

  /**
   * Checks a call's arguments: types, sizes, ranges. Throws `RequestError`; nothing is written.
   */
  async prepare(inputs: readonly Value[]): Promise<PreparedCall> {
    const dims = inputs.map((value) => tensorShape(value)?.dims ?? []);
    inputs.forEach((value, index) => this.#checkDims(value, index));
    const variant = await this.variant(dims);
    const roots = new Map<SymIntRoot, number>();
    const set = (root: SymIntRoot, value: number, where: string) => {
      const known = roots.get(root);
      if (known !== undefined && known !== value) {
        throw new RequestError(`${where}: ${root.name} is ${value}, elsewhere ${known}`);
      }
      variant.values.set(root, value);
      roots.set(root, value);
    };
    const contents = new Map<Tensor, ArrayLike<number>>();
    const writes: PreparedCall["writes"][number][] = [];
    for (const [index, input] of variant.delegate.inputs.entries()) {
      const value = inputs[index];
      const where = `${this.#options.where}: input ${index}`;
      if (value === undefined) throw new RequestError(`${where} is missing`);
      if (input.kind === "int") {
        set(input.root, plainInt(value, where), where);
        continue;
      }
      dims[index]?.forEach((size, axis) => {
        const dim = input.tensor.dims[axis];
        if (dim === size || dim === undefined || typeof dim === "number") return;
        if (dim.kind === "root") set(dim, size, where);
      });
      const from = await this.#source(value, input, where, contents);
      for (const { root, index: element } of input.elements) {
        set(root, contents.get(input.tensor)?.[element] ?? 0, where);
      }
      if (variant.uses(input.tensor)) writes.push({ tensor: input.tensor, from });
    }
    checkConditions(this.#options.where, variant.conditions, variant.values, (tensor) =>
      contents.get(tensor),
    );
    return { variant, roots: [...roots], writes };
  }

  #checkDims(value: Value, index: number): void {
    const stored = this.#vk.values[this.#vk.inputIds[index] ?? -1];
    const shape = tensorShape(value);
    if (stored?.kind !== "tensor" || shape === undefined) return;
    const where = `${this.#options.where}: input ${index}`;
    const bounded = this.#options.bounded[index] === true;
    const fits =
      shape.dims.length === stored.dims.length &&
      shape.dims.every((size, axis) => {
        const max = stored.dims[axis] ?? 1;
        return Number.isInteger(size) && (bounded ? size >= 1 && size <= max : size === max);
      });
    if (fits) return;
    const allowed = stored.dims.map((max) => (bounded && max > 1 ? `1…${max}` : max));
    throw new RequestError(`${where}: [${shape.dims.join(", ")}], must be [${allowed.join(", ")}]`);
  }

  /** Where an input's bytes come from; integers that are needed here are noted in `contents`. */
  async #source(
    value: Value,
    input: Extract<DelegateInput, { kind: "tensor" }>,
    where: string,
    contents: Map<Tensor, ArrayLike<number>>,
  ): Promise<PreparedCall["writes"][number]["from"]> {
    const shape = tensorShape(value);
    if (value.kind === "plain" || shape === undefined) {
      throw new RequestError(`${where} must be a tensor`);
    }
    const dtype = gpuType(shape.type);
    if (dtype !== input.tensor.dtype) {
      throw new RequestError(
        `${where}: ${shape.type} for a graph that takes ${input.tensor.dtype}`,
      );
    }
    if (value.kind === "gpu") {
      if (input.elements.length > 0) {
        const { data } = await readTensor(this.#gpu, value.buffer, "i32", value.dims);
        contents.set(input.tensor, data as Int32Array);
      }
      return { buffer: value.buffer, bytes: gpuByteLength(dtype, value.dims) };
    }
    const bytes = encodeTensor(value.tensor, where);
    if (dtype === "i32") {
      contents.set(
        input.tensor,
        new Int32Array(bytes.buffer).subarray(0, value.tensor.data.length),
      );
    }
    return bytes;
  }

  /** Runs a prepared call. `copyOutputs` encodes what becomes of the outputs. */
  run(
    { variant, roots, writes }: PreparedCall,
    copyOutputs: (
      encoder: GPUCommandEncoder,
      outputs: readonly (CallOutput & { readonly buffer?: GPUBuffer })[],
    ) => void,
  ): void {
    this.#gpu.assertUsable();
    for (const [root, value] of roots) variant.values.set(root, value);
    const copies: [GPUBuffer, GPUBuffer, number][] = [];
    for (const { tensor, from } of writes) {
      const target = variant.buffers.tensor(tensor);
      if (from instanceof Uint8Array) this.#gpu.queue.writeBuffer(target, 0, from);
      else copies.push([from.buffer, target, from.bytes]);
    }
    let next = 0;
    const outputs = variant.delegate.outputs.map((output) => {
      if (output.kind === "int") {
        return { kind: "int" as const, value: variant.values.get(output.value) };
      }
      const planned = variant.plan.outputs[next++];
      if (planned === undefined)
        throw new FormatError(`${this.#options.where}: an output is missing`);
      const dims = output.tensor.dims.map((dim) => variant.values.get(dim));
      const buffer = variant.buffers.tensor(planned);
      return { kind: "tensor" as const, tensor: output.tensor, dims, buffer };
    });
    variant.submit(
      (encoder) => {
        for (const [from, to, bytes] of copies) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
      },
      (encoder) => copyOutputs(encoder, outputs),
    );
  }

  async dispose(): Promise<void> {
    for (const variant of await Promise.allSettled(this.#variants.values())) {
      if (variant.status === "fulfilled") variant.value.dispose();
    }
    this.#state.dispose();
  }
}

function plainInt(value: Value, where: string): number {
  const found = value.kind === "plain" ? value.value : undefined;
  const number = typeof found === "bigint" ? Number(found) : found;
  if (typeof number !== "number" || !Number.isInteger(number)) {
    throw new RequestError(`${where} must be an integer`);
  }
  return number;
}
