import type { GpuDevice } from "../gpu/device.ts";
import type { Grid, Kernel, Route } from "../gpu/kernel.ts";
import type { CompiledKernel, PipelineCache } from "../gpu/pipeline-cache.ts";
import { ParamsArena } from "../gpu/params-arena.ts";
import type { Tunable } from "../kernels/shared/tunable.ts";
import type { OperandBuffers } from "./operand-buffers.ts";

/** One dispatch at one trial's sizes, with its bind groups by copy of the weights. */
interface PreparedDispatch {
  readonly slot: number;
  readonly pipeline: GPUComputePipeline;
  readonly grid: Grid;
  readonly bindGroups: readonly GPUBindGroup[];
}

/** A candidate that is compiled; it can be bound once all scratch is known. */
export interface CompiledCandidate {
  readonly name: string;
  readonly route: Route<unknown>;
  readonly kernels: readonly CompiledKernel[];
}

export async function compileCandidate(
  pipelines: PipelineCache,
  name: string,
  route: Route<unknown>,
): Promise<CompiledCandidate> {
  const kernels = await Promise.all(route.dispatches.map(({ kernel }) => pipelines.get(kernel)));
  return { name, route, kernels };
}

/** A candidate ready to run any of the trials. */
export class PreparedCandidate {
  readonly name: string;
  /** What a profile of it would be called: that of its last dispatch. */
  readonly kernel: Kernel;
  readonly #copies: number;
  readonly #params: ParamsArena;
  readonly #trials: readonly (readonly PreparedDispatch[])[];

  constructor(
    gpu: GpuDevice,
    { name, route, kernels }: CompiledCandidate,
    { trials }: Tunable<unknown>,
    buffers: OperandBuffers,
    ints: readonly ReadonlyMap<string, GPUBuffer>[],
  ) {
    const last = kernels.at(-1);
    if (last === undefined) throw new Error(`tune: ${route.name} has no dispatches`);
    this.name = name;
    this.kernel = last.kernel;
    this.#copies = buffers.copies;
    const slots = trials.flatMap(() => kernels);
    this.#params = new ParamsArena(gpu, `tune.${name}.params`, slots);
    this.#trials = trials.map(({ live }, trial) =>
      route.dispatches.map((template, index): PreparedDispatch => {
        const slot = trial * kernels.length + index;
        this.#params.update(slot, template.params(live));
        const resource = (binding: string, copy: number): GPUBufferBinding => {
          const operand = template.bind[binding] ?? "";
          const int = ints[trial]?.get(operand);
          return int === undefined
            ? buffers.binding(operand, copy, route.scratch[operand])
            : { buffer: int };
        };
        const { pipeline } = kernels[index]!;
        const bindGroups = Array.from({ length: buffers.copies }, (_, copy) =>
          this.#params.createBindGroup(slot, template.kernel.label, (binding) =>
            resource(binding, copy),
          ),
        );
        return { slot, pipeline, grid: template.grid(live), bindGroups };
      }),
    );
    this.#params.flush();
  }

  /** The grid of a trial's last dispatch. */
  grid(trial: number): Grid {
    return this.#trials[trial]?.at(-1)?.grid ?? [0, 0, 0];
  }

  /** Encodes a trial's call so many times, each with the next copy of the weights. */
  encode(pass: GPUComputePassEncoder, trial: number, calls: number): void {
    for (let call = 0; call < calls; call++) {
      for (const { slot, pipeline, grid, bindGroups } of this.#trials[trial] ?? []) {
        // A route may hold several dispatches for different sizes.
        if (grid.includes(0)) continue;
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroups[call % this.#copies]);
        this.#params.encode(pass, slot);
        pass.dispatchWorkgroups(...grid);
      }
    }
  }

  dispose(): void {
    this.#params.dispose();
  }
}
