import { DeviceError } from "../errors.ts";
import type { Kernel } from "./kernel.ts";
import { fixParams, takeImmediates } from "./wgsl.ts";
import type { BindingDeclaration } from "./wgsl.ts";

/** A compiled kernel. */
export interface CompiledKernel {
  readonly kernel: Kernel;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** What `layout` binds. */
  readonly bindings: readonly BindingDeclaration[];
  /** Whether Params come as immediates, neither in a uniform nor as constants. */
  readonly immediates: boolean;
}

/**
 * Compiled kernels by specialised source and overrides. Compilation is asynchronous and starts at
 * once, so that asking for many pipelines compiles them in parallel; a kernel asked for twice, by
 * whatever operator, compiles once.
 */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #maxImmediateSize: number;
  readonly #compiled = new Map<string, Promise<CompiledKernel>>();

  /** `maxImmediateSize`: bytes of immediates that the device allows, 0 where it knows none. */
  constructor(device: GPUDevice, maxImmediateSize: number) {
    this.#device = device;
    this.#maxImmediateSize = maxImmediateSize;
  }

  /** Pipelines compiled or compiling. */
  get size(): number {
    return this.#compiled.size;
  }

  /** Compiles `kernel`, or returns what an equal kernel compiled to. */
  get(kernel: Kernel, options: CompileOptions = {}): Promise<CompiledKernel> {
    const { maxImmediateSize = this.#maxImmediateSize, constants } = options;
    const immediates = 4 * kernel.params.length <= maxImmediateSize;
    const key = JSON.stringify([kernel.source, kernel.overrides, constants ?? immediates]);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      const otherwise = immediates ? withImmediates : withUniform;
      compiled = this.#compile(
        constants === undefined ? otherwise(kernel) : withConstants(kernel, constants),
      );
      this.#compiled.set(key, compiled);
      // A failure is reported to whoever awaits it; the next attempt starts afresh.
      compiled.catch(() => this.#compiled.delete(key));
    }
    return compiled;
  }

  async #compile(program: Program): Promise<CompiledKernel> {
    const device = this.#device;
    const { kernel, bindings, source, immediateSize } = program;
    const { label } = kernel;
    const layout = device.createBindGroupLayout({
      label,
      entries: bindings.map(({ binding, type }) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    // `immediateSize` is newer than the type declarations.
    const descriptor = { label, bindGroupLayouts: [layout], immediateSize };
    // A shader that does not parse is reported below, not as an uncaptured error as well.
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label, code: source });
    const parsed = device.popErrorScope().catch(() => null);
    try {
      const pipeline = await device.createComputePipelineAsync({
        label,
        layout: device.createPipelineLayout(descriptor),
        compute: { module, entryPoint: "main", constants: kernel.overrides },
      });
      return { kernel, pipeline, layout, bindings, immediates: immediateSize > 0 };
    } catch (error) {
      await parsed;
      throw new DeviceError("validation", await describeFailure(label, module, error), {
        cause: error,
      });
    }
  }
}

/** Where a kernel's Params come from. */
export interface CompileOptions {
  /** Bytes of immediates to use at the most: not more than the device allows. */
  readonly maxImmediateSize?: number;
  /** Params that never change: part of the code. Those of a dispatch are not looked at then. */
  readonly constants?: Readonly<Record<string, number>> | undefined;
}

/** A kernel with its Params in one of these places. */
interface Program {
  readonly kernel: Kernel;
  readonly source: string;
  readonly bindings: readonly BindingDeclaration[];
  readonly immediateSize: number;
}

function withUniform(kernel: Kernel): Program {
  return { kernel, source: kernel.source, bindings: kernel.bindings, immediateSize: 0 };
}

function withConstants(kernel: Kernel, values: Readonly<Record<string, number>>): Program {
  return {
    kernel,
    source: fixParams(kernel.source, kernel.params, values),
    bindings: kernel.bindings.filter(({ type }) => type !== "uniform"),
    immediateSize: 0,
  };
}

function withImmediates(kernel: Kernel): Program {
  return {
    kernel,
    source: takeImmediates(kernel.source),
    bindings: kernel.bindings.filter(({ type }) => type !== "uniform"),
    immediateSize: 4 * kernel.params.length,
  };
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
