import type * as Webgpu from "webgpu";
import { DeviceError } from "../../errors.ts";
import { useSwiftShader } from "./swiftshader.ts";

/** How to look for a GPU in Node. */
export interface NodeGpuOptions {
  /** Fail where there is no hardware adapter, instead of computing on the CPU. */
  readonly requireGpu?: boolean;
  /** Use the npm package's SwiftShader whatever else there is: the same adapter on every machine. */
  readonly forceSoftware?: boolean;
  /** Told, in one line, when a software adapter serves. */
  readonly onFallback?: (message: string) => void;
  readonly powerPreference?: GPUPowerPreference;
  /** Dawn toggles, for measurements: `disable_robustness`. */
  readonly dawnFeatures?: readonly string[];
}

/**
 * Dawn's instances. It must stay referenced while anything made from it is alive: collecting it
 * crashes the process (Dawn's event pump runs on the freed instance), and a module constant that is
 * no longer used is no root.
 */
const INSTANCES = Symbol.for("tetrad.gpu.instances");

/**
 * Unsafe APIs are Dawn's word for experimental ones: subgroup matrices. The second gives NVIDIA's
 * driver `shader-f16`, which Dawn leaves off by default.
 */
const DAWN_FEATURES = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"];
/** Timestamps are for profiling our own work: full precision. */
const DAWN_DISABLED = ["timestamp_quantization"];

/**
 * SwiftShader compiles the driver's clearing of workgroup memory element by element, 0.3 s a KiB
 * (version 5.0, November 2026); without this extension Dawn clears it with a loop.
 */
const DAWN_DISABLED_SWIFTSHADER = ["use_vulkan_zero_initialize_workgroup_memory_extension"];

type WebgpuModule = typeof Webgpu;

async function importWebgpu(): Promise<WebgpuModule> {
  try {
    return await import("webgpu");
  } catch (error) {
    throw new DeviceError(
      "unavailable",
      "gpu: Node has no WebGPU of its own; run: npm install webgpu",
      { cause: error },
    );
  }
}

function createInstance(
  { create, globals }: WebgpuModule,
  extra: readonly string[],
  disabled: readonly string[] = [],
): GPU {
  Object.assign(globalThis, globals);
  const gpu = create([
    `enable-dawn-features=${[...DAWN_FEATURES, ...extra].join(",")}`,
    `disable-dawn-features=${[...DAWN_DISABLED, ...disabled].join(",")}`,
  ]);
  const holder = globalThis as { [INSTANCES]?: GPU[] };
  (holder[INSTANCES] ??= []).push(gpu);
  return gpu;
}

function requestOptions(options: NodeGpuOptions): GPURequestAdapterOptions {
  return options.powerPreference === undefined ? {} : { powerPreference: options.powerPreference };
}

const isSoftware = (adapter: GPUAdapter): boolean =>
  (adapter.info as GPUAdapterInfo & { isFallbackAdapter: boolean }).isFallbackAdapter;

/** A `GPU` and the adapter it offers. */
export interface FoundGpu {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

/**
 * Finds an adapter: the machine's own, else a software one. Throws `DeviceError` ("unavailable")
 * where there is none, or none of hardware and `requireGpu` is set.
 */
export async function findGpu(options: NodeGpuOptions = {}): Promise<FoundGpu> {
  const webgpu = await importWebgpu();
  const extra = options.dawnFeatures ?? [];
  if (options.forceSoftware !== true) {
    const gpu = createInstance(webgpu, extra);
    const adapter = await gpu.requestAdapter(requestOptions(options));
    if (adapter !== null && (!isSoftware(adapter) || options.requireGpu !== true)) {
      if (isSoftware(adapter)) options.onFallback?.(fallbackMessage(adapter));
      return { gpu, adapter };
    }
    if (options.requireGpu === true) {
      throw new DeviceError(
        "unavailable",
        "gpu: no hardware adapter" +
          (adapter === null ? "" : `, only the software renderer ${adapter.info.description}`),
      );
    }
  }
  await useSwiftShader();
  const gpu = createInstance(webgpu, extra, DAWN_DISABLED_SWIFTSHADER);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) {
    throw new DeviceError("unavailable", "gpu: SwiftShader offers no adapter");
  }
  options.onFallback?.(fallbackMessage(adapter));
  return { gpu, adapter };
}

function fallbackMessage(adapter: GPUAdapter): string {
  return `no GPU found: computing on the CPU with ${adapter.info.description || "a software renderer"}`;
}
