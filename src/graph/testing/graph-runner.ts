/** Runs graphs on a GPU for tests: plan, allocate, upload, dispatch, read back. */
import type { GpuDevice } from "../../gpu/device.ts";
import { ReadbackRing } from "../../gpu/readback-ring.ts";
import { BufferSet } from "../buffer-set.ts";
import { ConstantStore } from "../constant-store.ts";
import { Executor } from "../executor.ts";
import type { Dtype, Graph, Tensor } from "../ir.ts";
import { DTYPE_BYTES } from "../ir.ts";
import { planGraph } from "../plan.ts";
import type { Plan } from "../plan.ts";
import { initializeState } from "../state.ts";
import { SymIntValues } from "../symint.ts";
import type { SymIntRoot } from "../symint.ts";

export type Elements = Float32Array | Int32Array | Int8Array | Uint8Array | Uint16Array;

function elements(dtype: Dtype, bytes: ArrayBuffer): Elements {
  switch (dtype) {
    case "f32":
      return new Float32Array(bytes);
    case "f16":
      return new Uint16Array(bytes);
    case "i32":
      return new Int32Array(bytes);
    case "i8":
      return new Int8Array(bytes);
    default:
      return new Uint8Array(bytes);
  }
}

/** A graph that is planned once and run with whatever sizes. */
export class GraphRunner {
  readonly plan: Plan;
  readonly #gpu: GpuDevice;
  readonly #graph: Graph;
  readonly #buffers: BufferSet;
  readonly #constants: ConstantStore;
  readonly #executor: Executor;
  readonly #values = new SymIntValues();

  private constructor(
    gpu: GpuDevice,
    graph: Graph,
    plan: Plan,
    memory: { readonly buffers: BufferSet; readonly constants: ConstantStore },
    executor: Executor,
  ) {
    this.#gpu = gpu;
    this.#graph = graph;
    this.plan = plan;
    this.#buffers = memory.buffers;
    this.#constants = memory.constants;
    this.#executor = executor;
  }

  static async create(
    gpu: GpuDevice,
    graph: Graph,
    plan: Plan = planGraph(graph, gpu.capabilities),
  ): Promise<GraphRunner> {
    const constants = new ConstantStore(gpu);
    const buffers = new BufferSet(gpu, graph.name, constants);
    buffers.allocate([plan]);
    await initializeState(gpu, buffers, plan.tensors);
    await constants.load(plan.constants);
    const executor = await Executor.prepare(gpu, plan, buffers);
    return new GraphRunner(gpu, graph, plan, { buffers, constants }, executor);
  }

  /** Sets sizes, writes inputs in the graph's order, and reads the outputs' live elements. */
  async run(
    inputs: readonly Elements[],
    sizes: ReadonlyMap<SymIntRoot, number> = new Map(),
  ): Promise<Elements[]> {
    for (const [root, size] of sizes) this.#values.set(root, size);
    this.#graph.inputs.forEach((tensor, index) => {
      if (this.plan.tensors.includes(tensor)) this.#write(tensor, inputs[index]!);
    });
    this.#executor.update(this.#values);
    const encoder = this.#gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.#executor.encode(pass);
    pass.end();
    const results = this.#graph.outputs.map((tensor, index) => {
      const count = tensor.dims.reduce<number>((n, dim) => n * this.#values.get(dim), 1);
      const bytes = count * DTYPE_BYTES[tensor.dtype];
      const padded = Math.max(4, Math.ceil(bytes / 4) * 4);
      const ring = new ReadbackRing(this.#gpu, "test", padded);
      const source = this.#buffers.tensor(this.plan.outputs[index]!);
      return { tensor, bytes, ring, readback: ring.copy(encoder, source, 0, padded) };
    });
    this.#gpu.queue.submit([encoder.finish()]);
    return Promise.all(
      results.map(async ({ tensor, bytes, ring, readback }) => {
        const contents = await readback.read();
        ring.dispose();
        return elements(tensor.dtype, contents.slice(0, bytes));
      }),
    );
  }

  #write(tensor: Tensor, { buffer, byteOffset, byteLength }: Elements): void {
    const padded = new Uint8Array(Math.ceil(byteLength / 4) * 4);
    padded.set(new Uint8Array(buffer, byteOffset, byteLength));
    this.#gpu.queue.writeBuffer(this.#buffers.tensor(tensor), 0, padded);
  }

  dispose(): void {
    this.#executor.dispose();
    this.#buffers.dispose();
    this.#constants.dispose();
  }
}
