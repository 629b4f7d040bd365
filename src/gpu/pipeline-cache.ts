import { DeviceError } from "../errors.ts";
import type { Kernel } from "./kernel.ts";

/** A compiled kernel. */
export interface CompiledKernel {
  readonly kernel: Kernel;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/**
 * Compiled kernels by specialised source and overrides. Compilation is asynchronous and starts at
 * once, so that asking for many pipelines compiles them in parallel; a kernel asked for twice, by
 * whatever operator, compiles once.
 */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<string, Promise<CompiledKernel>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Pipelines compiled or compiling. */
  get size(): number {
    return this.#compiled.size;
  }

  /** Compiles `kernel`, or returns what an equal kernel compiled to. */
  get(kernel: Kernel): Promise<CompiledKernel> {
    const key = JSON.stringify([kernel.source, kernel.overrides]);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = this.#compile(kernel);
      this.#compiled.set(key, compiled);
      // A failure is reported to whoever awaits it; the next attempt starts afresh.
      compiled.catch(() => this.#compiled.delete(key));
    }
    return compiled;
  }

  async #compile(kernel: Kernel): Promise<CompiledKernel> {
    const device = this.#device;
    const { label } = kernel;
    const layout = device.createBindGroupLayout({
      label,
      entries: kernel.bindings.map(({ binding, type }) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    // A shader that does not parse is reported below, not as an uncaptured error as well.
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label, code: kernel.source });
    const parsed = device.popErrorScope().catch(() => null);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main", constants: kernel.overrides },
      });
      return { kernel, pipeline, layout };
    } catch (error) {
      await parsed;
      throw new DeviceError("validation", await describeFailure(label, module, error), {
        cause: error,
      });
    }
  }
}

async function describeFailure(
  label: string,
  module: GPUShaderModule,
  error: unknown,
): Promise<string> {
  const info = await module.getCompilationInfo().catch(() => undefined);
  const messages = (info?.messages ?? [])
    .filter((message) => message.type === "error")
    .map((message) => `${message.lineNum}:${message.linePos} ${message.message}`);
  const reason = messages.length > 0 ? messages.join("; ") : String(error);
  return `gpu: kernel "${label}" does not compile on this device: ${reason}`;
}
