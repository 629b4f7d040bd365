import { FormatError, RequestError } from "../errors.ts";
import type { Instruction, Method, ProgramTensor, ProgramValue } from "../formats/pte/program.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { maxByteLength } from "../graph/ir.ts";
import type { DelegateInstance, PreparedCall } from "./delegate-instance.ts";
import { GpuTensor, readTensor } from "./gpu-tensor.ts";
import { gpuByteLength, gpuType } from "./typed-tensor.ts";
import type { TypedTensor } from "./typed-tensor.ts";
import { tensorShape } from "./values.ts";
import type { PlainValue, Value } from "./values.ts";

/** Bounds a program that jumps back for ever. */
const MAX_INSTRUCTIONS = 100_000;

/** What a caller passes for an input. */
export type ProgramInput = TypedTensor | GpuTensor | number | bigint | boolean;

/** What a run returns for an output. */
export type ProgramOutput = TypedTensor | GpuTensor | PlainValue;

export interface RunOptions {
  /** Outputs, by index, that stay on the GPU as `GpuTensor`. */
  readonly keep?: readonly number[];
}

export const COPY_OPERATOR = "aten::copy_";

/** One method of a program: a register machine whose delegates are on the GPU. */
export class LoadedMethod {
  readonly #gpu: GpuDevice;
  readonly #method: Method;
  readonly #where: string;
  readonly #delegates: readonly DelegateInstance[];
  readonly #constants: ReadonlyMap<number, TypedTensor>;
  /** GPU memory of tensor values, made when one is first computed. */
  readonly #buffers = new Map<number, GPUBuffer>();

  constructor(
    gpu: GpuDevice,
    method: Method,
    where: string,
    delegates: readonly DelegateInstance[],
    constants: ReadonlyMap<number, TypedTensor>,
  ) {
    this.#gpu = gpu;
    this.#method = method;
    this.#where = where;
    this.#delegates = delegates;
    this.#constants = constants;
    for (const instruction of method.chains.flatMap(({ instructions }) => instructions)) {
      if (instruction.kind !== "delegate") continue;
      const { inputCount, outputCount } = delegates[instruction.delegate]!;
      if (instruction.args.length === inputCount + outputCount) continue;
      throw new FormatError(
        `${where}: a delegate call has ${instruction.args.length} arguments, ` +
          `its graph ${inputCount} inputs and ${outputCount} outputs`,
      );
    }
  }

  /**
   * Runs the method. Rejects with `RequestError` for arguments that do not fit, before anything is
   * written.
   */
  async run(
    inputs: readonly ProgramInput[],
    { keep = [] }: RunOptions,
  ): Promise<readonly ProgramOutput[]> {
    const values = this.#initialValues();
    const { inputs: ids, outputs } = this.#method;
    if (inputs.length !== ids.length) {
      throw new RequestError(`${this.#where}: ${inputs.length} inputs, must be ${ids.length}`);
    }
    ids.forEach((id, index) => values.set(id, this.#input(inputs[index]!, id, index)));
    const prepared = await this.#prepareFirst(values);
    for (const { instructions } of this.#method.chains) {
      await this.#runChain(instructions, values, prepared);
    }
    return Promise.all(
      outputs.map((id, index) => this.#output(this.#get(values, id), keep.includes(index))),
    );
  }

  #initialValues(): Map<number, Value> {
    const values = new Map<number, Value>();
    this.#method.values.forEach((value, id) => {
      const plain = plainValue(value);
      if (plain !== undefined) values.set(id, { kind: "plain", value: plain });
    });
    for (const [id, tensor] of this.#constants) values.set(id, { kind: "host", tensor });
    return values;
  }

  #input(input: ProgramInput, id: number, index: number): Value {
    const where = `${this.#where}: input ${index}`;
    const expected = this.#method.values[id];
    if (typeof input !== "object") {
      if (expected?.kind === "tensor") throw new RequestError(`${where} must be a tensor`);
      return { kind: "plain", value: input };
    }
    if (expected?.kind !== "tensor") {
      throw new RequestError(`${where} must be of kind ${String(expected?.kind)}`);
    }
    checkTensor(input, expected, where);
    if (input instanceof GpuTensor) {
      return { kind: "gpu", buffer: input.buffer, type: input.type, dims: input.dims };
    }
    return { kind: "host", tensor: input };
  }

  #get(values: ReadonlyMap<number, Value>, id: number): Value {
    const value = values.get(id);
    if (value === undefined) {
      throw new FormatError(`${this.#where}: value ${id} is used before it is computed`);
    }
    return value;
  }

  /** Checks every delegate call that depends on inputs alone, so that nothing runs if one is wrong. */
  async #prepareFirst(values: ReadonlyMap<number, Value>): Promise<Map<Instruction, PreparedCall>> {
    const prepared = new Map<Instruction, PreparedCall>();
    const computed = new Set<number>();
    for (const instruction of this.#method.chains.flatMap(({ instructions }) => instructions)) {
      if (instruction.kind === "jumpFalse") break;
      if (instruction.kind === "move") computed.add(instruction.to);
      if (instruction.kind === "kernel") for (const id of instruction.args) computed.add(id);
      if (instruction.kind !== "delegate") continue;
      const delegate = this.#delegates[instruction.delegate]!;
      const args = instruction.args.slice(0, delegate.inputCount);
      if (args.every((id) => values.has(id) && !computed.has(id))) {
        const inputs = args.map((id) => this.#get(values, id));
        prepared.set(instruction, await delegate.prepare(inputs));
      }
      for (const id of instruction.args.slice(delegate.inputCount)) computed.add(id);
    }
    return prepared;
  }

  async #runChain(
    instructions: readonly Instruction[],
    values: Map<number, Value>,
    prepared: Map<Instruction, PreparedCall>,
  ): Promise<void> {
    let steps = 0;
    for (let at = 0; at < instructions.length;) {
      const instruction = instructions[at]!;
      at += 1;
      steps += 1;
      if (steps > MAX_INSTRUCTIONS) {
        throw new FormatError(
          `${this.#where}: more than ${MAX_INSTRUCTIONS} instructions were run`,
        );
      }
      switch (instruction.kind) {
        case "delegate":
          await this.#callDelegate(instruction, values, prepared);
          break;
        case "kernel":
          this.#copy(instruction.args, values);
          break;
        case "move":
          values.set(instruction.to, this.#get(values, instruction.from));
          break;
        case "jumpFalse":
          if (!(await this.#isTrue(this.#get(values, instruction.condition)))) {
            at = instruction.destination;
          }
          break;
        case "free":
          values.delete(instruction.value);
          break;
        default:
          throw new Error(`program: ${JSON.stringify(instruction satisfies never)}`);
      }
    }
  }

  async #callDelegate(
    instruction: Extract<Instruction, { kind: "delegate" }>,
    values: Map<number, Value>,
    prepared: Map<Instruction, PreparedCall>,
  ): Promise<void> {
    const delegate = this.#delegates[instruction.delegate]!;
    const { inputCount } = delegate;
    const inputs = instruction.args.slice(0, inputCount).map((id) => this.#get(values, id));
    const call = prepared.get(instruction) ?? (await delegate.prepare(inputs));
    // In a loop the arguments are others the next time.
    prepared.delete(instruction);
    delegate.run(call, (encoder, outputs) => {
      outputs.forEach((output, index) => {
        const id = instruction.args[inputCount + index]!;
        if (output.kind === "int") {
          values.set(id, { kind: "plain", value: output.value });
          return;
        }
        const { tensor, dims, buffer } = output;
        const expected = this.#method.values[id];
        if (buffer === undefined || expected?.kind !== "tensor") {
          throw new FormatError(`${this.#where}: output ${index} of a delegate is no tensor`);
        }
        const { type } = expected;
        if (gpuType(type) !== tensor.dtype) {
          throw new FormatError(
            `${this.#where}: a delegate's ${tensor.dtype} output for a value of ${type}`,
          );
        }
        const target = this.#buffer(id, maxByteLength(tensor));
        encoder.copyBufferToBuffer(buffer, 0, target, 0, gpuByteLength(tensor.dtype, dims));
        values.set(id, { kind: "gpu", buffer: target, type, dims });
      });
    });
  }

  #buffer(id: number, bytes: number): GPUBuffer {
    let buffer = this.#buffers.get(id);
    if (buffer !== undefined && buffer.size >= bytes) return buffer;
    if (buffer !== undefined) this.#gpu.destroyBuffer(buffer);
    buffer = this.#gpu.createStorageBuffer(`${this.#method.name}.value${id}`, bytes);
    this.#buffers.set(id, buffer);
    return buffer;
  }

  /** `aten::copy_` [self, source, non_blocking, result]: self becomes a copy of source. */
  #copy(args: readonly number[], values: Map<number, Value>): void {
    const [self, source] = args;
    const result = args.at(-1);
    if (self === undefined || source === undefined || result === undefined) {
      throw new FormatError(`${this.#where}: ${COPY_OPERATOR} has ${args.length} arguments`);
    }
    const from = this.#get(values, source);
    const [a, b] = [tensorShape(this.#get(values, self)), tensorShape(from)];
    if (a === undefined || b === undefined || a.type !== b.type || !sameSizes(a.dims, b.dims)) {
      throw new FormatError(
        `${this.#where}: ${COPY_OPERATOR} of ${b?.type} [${String(b?.dims)}] to ${a?.type} [${String(a?.dims)}]`,
      );
    }
    let copied = from;
    if (from.kind === "gpu") {
      const bytes = gpuByteLength(gpuType(from.type), from.dims);
      const buffer = this.#buffer(self, bytes);
      const encoder = this.#gpu.device.createCommandEncoder({ label: COPY_OPERATOR });
      encoder.copyBufferToBuffer(from.buffer, 0, buffer, 0, bytes);
      this.#gpu.queue.submit([encoder.finish()]);
      copied = { ...from, buffer };
    }
    values.set(self, copied);
    values.set(result, copied);
  }

  async #isTrue(value: Value): Promise<boolean> {
    if (value.kind === "plain") return Boolean(value.value);
    const { data } =
      value.kind === "host"
        ? value.tensor
        : await readTensor(this.#gpu, value.buffer, value.type, value.dims);
    return Boolean(data[0]);
  }

  async #output(value: Value, keep: boolean): Promise<ProgramOutput> {
    if (value.kind === "plain") return value.value;
    if (value.kind === "host") return value.tensor;
    const { buffer, type, dims } = value;
    if (!keep) return readTensor(this.#gpu, buffer, type, dims);
    const bytes = gpuByteLength(gpuType(type), dims);
    const kept = this.#gpu.createStorageBuffer(`${this.#method.name}.kept`, bytes);
    const encoder = this.#gpu.device.createCommandEncoder({ label: "keep" });
    encoder.copyBufferToBuffer(buffer, 0, kept, 0, bytes);
    this.#gpu.queue.submit([encoder.finish()]);
    return new GpuTensor(this.#gpu, kept, type, dims);
  }

  async dispose(): Promise<void> {
    for (const delegate of this.#delegates) await delegate.dispose();
    for (const buffer of this.#buffers.values()) this.#gpu.destroyBuffer(buffer);
    this.#buffers.clear();
  }
}

function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function checkTensor(
  input: TypedTensor | GpuTensor,
  { type, sizes, dynamism }: ProgramTensor,
  where: string,
): void {
  if (input.type !== type) throw new RequestError(`${where}: ${input.type}, must be ${type}`);
  const { dims } = input;
  const fits =
    dims.length === sizes.length &&
    dims.every((size, axis) => {
      const max = sizes[axis] ?? 1;
      if (!Number.isInteger(size) || size < 0) return false;
      if (dynamism === "static") return size === max;
      return size >= 1 && (dynamism === "unbounded" || size <= max);
    });
  if (fits) return;
  const allowed = sizes.map((max) => (dynamism === "bounded" && max > 1 ? `1…${max}` : max));
  throw new RequestError(`${where}: [${dims.join(", ")}], must be [${allowed.join(", ")}]`);
}

function plainValue(value: ProgramValue): PlainValue | undefined {
  switch (value.kind) {
    case "null":
      return null;
    case "int":
    case "bool":
    case "double":
    case "string":
      return value.value;
    default:
      return undefined;
  }
}
