import { UnsupportedError } from "../errors.ts";
import type { DelegateGraph } from "../formats/pte/to-graph.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { BufferSet } from "../graph/buffer-set.ts";
import { graphConditions } from "../graph/conditions.ts";
import type { ConstantStore } from "../graph/constant-store.ts";
import { Executor } from "../graph/executor.ts";
import type { ExecutorOptions } from "../graph/executor.ts";
import type { Tensor } from "../graph/ir.ts";
import type { Condition } from "../graph/ops/op.ts";
import { optimizeGraph } from "../graph/passes/index.ts";
import { planGraph } from "../graph/plan.ts";
import type { Plan } from "../graph/plan.ts";
import { initializeState } from "../graph/state.ts";
import { SymIntValues } from "../graph/symint.ts";

/** What variants of one delegate share. */
export interface SharedMemory {
  readonly constants: ConstantStore;
  /** State, which survives runs and outlives every variant. */
  readonly state: BufferSet;
}

/** A delegate's graph for some input shapes, planned and ready to run. */
export class DelegateVariant {
  readonly delegate: DelegateGraph;
  readonly conditions: readonly Condition[];
  readonly values = new SymIntValues();
  readonly plan: Plan;
  readonly buffers: BufferSet;
  readonly executor: Executor;
  readonly #gpu: GpuDevice;

  private constructor(
    gpu: GpuDevice,
    delegate: DelegateGraph,
    plan: Plan,
    buffers: BufferSet,
    executor: Executor,
  ) {
    this.#gpu = gpu;
    this.delegate = delegate;
    this.conditions = graphConditions(delegate.graph);
    this.plan = plan;
    this.buffers = buffers;
    this.executor = executor;
  }

  /** Plans, allocates, uploads what is not on the GPU yet, and compiles. */
  static async create(
    gpu: GpuDevice,
    delegate: DelegateGraph,
    shared: SharedMemory,
    options: ExecutorOptions,
    signal?: AbortSignal,
  ): Promise<DelegateVariant> {
    const plan = planGraph(optimizeGraph(delegate.graph, gpu.capabilities), gpu.capabilities);
    for (const { name, storage } of plan.outputs) {
      if (storage.kind !== "constant") continue;
      throw new UnsupportedError(`${plan.name}: output "${name}" is a constant`);
    }
    const inputs = new Set(delegate.graph.inputs);
    // An input that the graph writes in place is state to the plan, but holds nothing between runs.
    const state = plan.tensors.filter(
      (tensor) => tensor.storage.kind === "state" && !inputs.has(tensor),
    );
    const fresh = state.filter((tensor) => !shared.state.has(tensor));
    const buffers = new BufferSet(gpu, plan.name, shared.constants, shared.state);
    try {
      await gpu.catchOutOfMemory("allocating state and intermediate results", async () => {
        shared.state.allocateTensors(fresh);
        await initializeState(gpu, shared.state, fresh, signal);
        buffers.allocate([plan]);
      });
      await shared.constants.load(plan.constants, () => {}, signal);
      const executor = await Executor.prepare(gpu, plan, buffers, options);
      return new DelegateVariant(gpu, delegate, plan, buffers, executor);
    } catch (error) {
      buffers.dispose();
      shared.state.freeTensors(fresh);
      throw error;
    }
  }

  /** True where the plan reads or writes `tensor`: others have no buffer. */
  uses(tensor: Tensor): boolean {
    return this.plan.tensors.includes(tensor);
  }

  /** Runs it with the integers that were set, then what `after` encodes. */
  submit(
    before: (encoder: GPUCommandEncoder) => void,
    after: (encoder: GPUCommandEncoder) => void,
  ) {
    this.executor.update(this.values);
    const encoder = this.#gpu.device.createCommandEncoder({ label: this.plan.name });
    before(encoder);
    const pass = encoder.beginComputePass({ label: this.plan.name });
    this.executor.encode(pass);
    pass.end();
    after(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
  }

  dispose(): void {
    this.executor.dispose();
    this.buffers.dispose();
  }
}
