import type { GpuDevice } from "../gpu/device.ts";
import type { CompiledKernel } from "../gpu/pipeline-cache.ts";
import type { QueryPool } from "../gpu/query-pool.ts";
import { ParamsArena } from "../gpu/params-arena.ts";
import type { BufferSet } from "./buffer-set.ts";
import type { ParamValues } from "./constant-params.ts";
import type { Grid, Kernel } from "../gpu/kernel.ts";
import type { BufferReference, Plan, PlannedDispatch } from "./plan.ts";
import type { SymIntRoot, SymIntValues } from "./symint.ts";

/** A dispatch with everything that never changes made, and what follows the live sizes. */
interface PreparedDispatch {
  readonly planned: PlannedDispatch;
  readonly compiled: CompiledKernel;
  readonly bindGroup: GPUBindGroup;
  grid: Grid;
  /** Roots that grid and params were computed from. */
  reads: ReadonlySet<SymIntRoot> | undefined;
}

/** How a plan's kernels are compiled. */
export interface ExecutorOptions {
  /** Other plans will want them with other sizes: none becomes a constant. */
  readonly sharesKernels?: boolean;
}

/** Called with every dispatch that is encoded, in order; for profiles and tests. */
export type DispatchObserver = (dispatch: PlannedDispatch, grid: Grid, index: number) => void;

/** Whether a run leaves the dispatch out: a route may hold several for different sizes. */
const isEmpty = ([x, y, z]: Grid): boolean => x * y * z === 0;

/**
 * Runs a plan: compiles and binds once, then only encodes. Several executors may share buffers
 * (constants, state) through one {@link BufferSet}.
 */
export class Executor {
  readonly plan: Plan;
  readonly #dispatches: readonly PreparedDispatch[];
  readonly #params: ParamsArena;
  readonly #ints: readonly IntBuffer[];
  readonly #gpu: GpuDevice;
  /** Values that the dispatches' grids and params were last computed with. */
  readonly #seen = new Map<SymIntRoot, number>();

  private constructor(
    gpu: GpuDevice,
    plan: Plan,
    dispatches: readonly PreparedDispatch[],
    params: ParamsArena,
    ints: readonly IntBuffer[],
  ) {
    this.#gpu = gpu;
    this.plan = plan;
    this.#dispatches = dispatches;
    this.#params = params;
    this.#ints = ints;
  }

  /** Compiles every kernel of the plan, in parallel, and makes its bind groups. */
  static async prepare(
    gpu: GpuDevice,
    plan: Plan,
    buffers: BufferSet,
    { sharesKernels = false }: ExecutorOptions = {},
  ): Promise<Executor> {
    const compiled = await Promise.all(
      plan.dispatches.map(({ kernel, constantParams }) =>
        compile(gpu, kernel, sharesKernels ? undefined : constantParams),
      ),
    );
    gpu.assertUsable();
    const params = new ParamsArena(gpu, `${plan.name}.params`, compiled);
    const ints: IntBuffer[] = [];
    const resolve = (reference: BufferReference): GPUBufferBinding => {
      if (reference.kind !== "int") return buffers.resolve(reference, plan);
      let int = ints.find(({ value }) => value === reference.value);
      if (int === undefined) {
        const buffer = gpu.createStorageBuffer(`${plan.name}.int${ints.length}`, 4);
        int = { value: reference.value, buffer, written: undefined };
        ints.push(int);
      }
      return { buffer: int.buffer };
    };
    const dispatches = plan.dispatches.map((planned, slot): PreparedDispatch => {
      const bindGroup = params.createBindGroup(slot, planned.label, (name) => {
        const reference = planned.bindings[name];
        if (reference === undefined) {
          throw new Error(`${planned.kernel.label}: "${name}" is not bound`);
        }
        return resolve(reference);
      });
      return {
        planned,
        compiled: compiled[slot]!,
        bindGroup,
        grid: [0, 0, 0],
        reads: undefined,
      };
    });
    return new Executor(gpu, plan, dispatches, params, ints);
  }

  /** Whether a run uploads nothing: then several may be updated and encoded for one submit. */
  get uploadsNothing(): boolean {
    return this.#params.areEncoded && this.#ints.length === 0;
  }

  /**
   * Brings grids and params up to date with `values`. Only dispatches that depend on a value that
   * changed are computed anew. Must be followed by a submit before the next call, unless the plan
   * {@link uploadsNothing}.
   */
  update(values: SymIntValues): void {
    const changed = new Set<SymIntRoot>();
    for (const [root, value] of this.#seen) {
      const now = values.get(root);
      if (now !== value) {
        changed.add(root);
        this.#seen.set(root, now);
      }
    }
    for (const [slot, dispatch] of this.#dispatches.entries()) {
      if (dispatch.reads !== undefined && ![...dispatch.reads].some((root) => changed.has(root)))
        continue;
      this.#updateDispatch(slot, dispatch, values);
    }
    this.#params.flush();
    for (const int of this.#ints) {
      const value = values.get(int.value);
      if (value === int.written) continue;
      int.written = value;
      this.#gpu.queue.writeBuffer(int.buffer, 0, new Int32Array([value]));
    }
  }

  #updateDispatch(slot: number, dispatch: PreparedDispatch, values: SymIntValues): void {
    const { planned } = dispatch;
    const { result: live, reads } = values.trackReads(() => planned.live(values));
    dispatch.reads = reads;
    for (const root of reads) this.#seen.set(root, values.get(root));
    dispatch.grid = planned.grid(live);
    if (this.#params.takes(slot)) this.#params.update(slot, planned.params(live));
  }

  /** Encodes the plan's dispatches into a compute pass. Call {@link update} first. */
  encode(pass: GPUComputePassEncoder, observe?: DispatchObserver): void {
    let current: GPUComputePipeline | undefined;
    this.#dispatches.forEach(({ planned, compiled, bindGroup, grid }, index) => {
      if (isEmpty(grid)) return;
      if (compiled.pipeline !== current) {
        current = compiled.pipeline;
        pass.setPipeline(current);
      }
      pass.setBindGroup(0, bindGroup);
      this.#params.encode(pass, index);
      pass.dispatchWorkgroups(...grid);
      observe?.(planned, grid, index);
    });
  }

  /**
   * As {@link encode}, but each dispatch in a pass of its own that writes timestamps to `pool`.
   * `values` are those of the last {@link update}.
   */
  encodeTimed(encoder: GPUCommandEncoder, pool: QueryPool, values: SymIntValues): void {
    for (const [slot, dispatch] of this.#dispatches.entries()) {
      const { planned, compiled, bindGroup, grid } = dispatch;
      if (isEmpty(grid)) continue;
      const pass = encoder.beginComputePass({
        label: planned.label,
        timestampWrites: pool.bracket(planned.kernel, grid, planned.work(values)),
      });
      pass.setPipeline(compiled.pipeline);
      pass.setBindGroup(0, bindGroup);
      this.#params.encode(pass, slot);
      pass.dispatchWorkgroups(...grid);
      pass.end();
    }
  }

  dispose(): void {
    this.#params.dispose();
    for (const { buffer } of this.#ints) this.#gpu.destroyBuffer(buffer);
  }
}

/** Values may make no constant expression: a division by a zero that is never reached. */
function compile(
  gpu: GpuDevice,
  kernel: Kernel,
  constants: ParamValues | undefined,
): Promise<CompiledKernel> {
  if (constants === undefined) return gpu.pipelines.get(kernel);
  return gpu.pipelines.get(kernel, { constants }).catch(() => gpu.pipelines.get(kernel));
}

/** An integer the CPU writes for kernels that read it live. */
interface IntBuffer {
  readonly value: Parameters<SymIntValues["get"]>[0];
  readonly buffer: GPUBuffer;
  written: number | undefined;
}
