import { DeviceError } from "../../errors.ts";

/** How to look for a GPU in a browser. */
export interface BrowserGpuOptions {
  /** Fail where the browser offers only a software adapter. */
  readonly requireGpu?: boolean;
  readonly powerPreference?: GPUPowerPreference;
  /** Told, in one line, when a software adapter serves. */
  readonly onFallback?: (message: string) => void;
}

/** A `GPU` and the adapter it offers. */
export interface FoundGpu {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

/** Finds the browser's adapter. Throws `DeviceError` ("unavailable") where there is none. */
export async function findGpu(options: BrowserGpuOptions = {}): Promise<FoundGpu> {
  // Absent in browsers without WebGPU and in pages without a secure context.
  const gpu = (globalThis.navigator as { readonly gpu?: GPU } | undefined)?.gpu;
  if (gpu === undefined) {
    throw new DeviceError(
      "unavailable",
      globalThis.isSecureContext
        ? "gpu: this browser has no WebGPU"
        : "gpu: WebGPU needs a secure context: serve the page over https or from localhost",
    );
  }
  const { powerPreference } = options;
  const adapter = await gpu.requestAdapter(
    powerPreference === undefined ? {} : { powerPreference },
  );
  if (adapter === null) {
    throw new DeviceError(
      "unavailable",
      "gpu: the browser has WebGPU but offers no adapter; is hardware acceleration switched off?",
    );
  }
  const info = adapter.info as GPUAdapterInfo & { readonly isFallbackAdapter?: boolean };
  if (info.isFallbackAdapter ?? false) {
    const renderer = info.description || info.architecture || "a software renderer";
    if (options.requireGpu === true) {
      throw new DeviceError("unavailable", `gpu: no hardware adapter, only ${renderer}`);
    }
    options.onFallback?.(`no GPU found: computing on the CPU with ${renderer}`);
  }
  return { gpu, adapter };
}
