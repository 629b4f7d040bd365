import { DeviceError, UnsupportedError } from "../errors.ts";
import { readCapabilities, restrictCapabilities, WANTED_FEATURES } from "./capabilities.ts";
import type { Capabilities, CapabilityOverrides, DeviceLimits } from "./capabilities.ts";
import { PipelineCache } from "./pipeline-cache.ts";

/** What a device should be made with. */
export interface DeviceOptions {
  readonly powerPreference?: GPUPowerPreference;
  /** Capabilities to leave unused although the device has them. */
  readonly restrict?: CapabilityOverrides;
}

/** Limits that a device gets only on request; alignments it has anyway. */
const REQUESTED_LIMITS: readonly (keyof DeviceLimits)[] = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupsPerDimension",
  "maxImmediateSize",
];

/** The adapter's own; what it has never heard of must not be asked for. */
function requestedLimits(limits: GPUSupportedLimits): Record<string, number> {
  const known = limits as unknown as Readonly<Record<string, number | undefined>>;
  return Object.fromEntries(
    REQUESTED_LIMITS.flatMap((name) => {
      const limit = known[name];
      return limit === undefined ? [] : [[name, limit]];
    }),
  );
}

/** Bindings the widest kernel needs; WebGPU's default limit. */
const MIN_STORAGE_BUFFERS = 8;

/** Rounds up to a multiple of 4, the granularity of WebGPU copies, and to at least one word. */
function bufferSize(bytes: number): number {
  return Math.max(4, Math.ceil(bytes / 4) * 4);
}

/**
 * A `GPUDevice` with what everything above it needs: its capability record, its pipeline cache,
 * labelled buffers whose size was checked, and a promise that tells why it was lost.
 */
export class GpuDevice {
  readonly device: GPUDevice;
  readonly queue: GPUQueue;
  readonly capabilities: Capabilities;
  readonly pipelines: PipelineCache;
  /** Bytes of buffers made through this object and not destroyed. */
  allocatedBytes = 0;
  #lost: DeviceError | undefined;
  readonly #owned: boolean;
  readonly #lossListeners = new Set<(error: DeviceError) => void>();

  constructor(device: GPUDevice, capabilities: Capabilities, owned: boolean) {
    this.device = device;
    this.queue = device.queue;
    this.capabilities = capabilities;
    this.pipelines = new PipelineCache(device, capabilities.limits.maxImmediateSize);
    this.#owned = owned;
    void this.#watchLoss();
  }

  async #watchLoss(): Promise<void> {
    const { reason, message } = await this.device.lost;
    this.#lost = new DeviceError(
      "lost",
      `gpu: the device was lost (${reason || "unknown"})${message ? `: ${message}` : ""}`,
    );
    for (const listener of this.#lossListeners) listener(this.#lost);
  }

  /** Asks `gpu` for an adapter and a device with everything this library can use. */
  static async request(gpu: GPU, options: DeviceOptions = {}): Promise<GpuDevice> {
    const adapter = await gpu.requestAdapter(
      options.powerPreference ? { powerPreference: options.powerPreference } : {},
    );
    if (adapter === null) {
      throw new DeviceError("unavailable", "gpu: WebGPU has no adapter on this machine");
    }
    return GpuDevice.fromAdapter(adapter, gpu.wgslLanguageFeatures, options);
  }

  /** Makes a device of an adapter, with the adapter's own limits and every useful feature. */
  static async fromAdapter(
    adapter: GPUAdapter,
    wgslFeatures: ReadonlySet<string>,
    options: DeviceOptions = {},
  ): Promise<GpuDevice> {
    const { limits, features, info } = adapter;
    if (limits.maxStorageBuffersPerShaderStage < MIN_STORAGE_BUFFERS) {
      throw new UnsupportedError(
        `gpu: the adapter binds ${limits.maxStorageBuffersPerShaderStage} storage buffers; ` +
          `${MIN_STORAGE_BUFFERS} are needed`,
      );
    }
    const device = await adapter.requestDevice({
      label: "tetrad",
      requiredFeatures: WANTED_FEATURES.filter((name) => features.has(name)) as GPUFeatureName[],
      requiredLimits: requestedLimits(limits),
    });
    const capabilities = readCapabilities(device, info, wgslFeatures);
    return new GpuDevice(device, restrictCapabilities(capabilities, options.restrict ?? {}), true);
  }

  /** Uses a device the caller made and keeps owning: only what it was made with is used. */
  static fromDevice(
    device: GPUDevice,
    wgslFeatures: ReadonlySet<string>,
    options: DeviceOptions = {},
  ): GpuDevice {
    const capabilities = readCapabilities(device, device.adapterInfo, wgslFeatures);
    return new GpuDevice(device, restrictCapabilities(capabilities, options.restrict ?? {}), false);
  }

  /** Why the device was lost, or undefined while it works. */
  get lost(): DeviceError | undefined {
    return this.#lost;
  }

  /** Throws the {@link DeviceError} of a lost device. */
  assertUsable(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }

  /** Calls `listener` when the device is lost; returns how to stop listening. */
  onLost(listener: (error: DeviceError) => void): () => void {
    this.#lossListeners.add(listener);
    return () => this.#lossListeners.delete(listener);
  }

  /** A buffer of at least `bytes`. Throws `DeviceError` where the device cannot hold one so large. */
  createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.assertUsable();
    const size = bufferSize(bytes);
    const { maxBufferSize } = this.capabilities.limits;
    if (size > maxBufferSize) {
      throw new DeviceError(
        "memory",
        `gpu: buffer "${label}" needs ${size} bytes; the device allows ${maxBufferSize} in one buffer`,
      );
    }
    const buffer = this.device.createBuffer({ label, size, usage });
    this.allocatedBytes += size;
    return buffer;
  }

  /** A storage buffer that can be written, read back and bound whole. */
  createStorageBuffer(label: string, bytes: number): GPUBuffer {
    const { maxStorageBufferBindingSize } = this.capabilities.limits;
    if (bytes > maxStorageBufferBindingSize) {
      throw new DeviceError(
        "memory",
        `gpu: buffer "${label}" needs ${bytes} bytes; ` +
          `the device binds at most ${maxStorageBufferBindingSize} at once`,
      );
    }
    return this.createBuffer(
      label,
      bytes,
      GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    );
  }

  /** Destroys a buffer made by this object. */
  destroyBuffer(buffer: GPUBuffer): void {
    this.allocatedBytes -= buffer.size;
    buffer.destroy();
  }

  /** Runs `work` and turns out-of-memory errors of its commands into `DeviceError`. */
  async catchOutOfMemory<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.device.pushErrorScope("out-of-memory");
    let result: T;
    try {
      result = await work();
    } catch (error) {
      await this.device.popErrorScope().catch(() => null);
      throw error;
    }
    const error = await this.device.popErrorScope();
    this.assertUsable();
    if (error !== null) {
      throw new DeviceError("memory", `gpu: out of memory while ${what}: ${error.message}`);
    }
    return result;
  }

  /** Waits until the GPU has done all it was given. */
  async idle(): Promise<void> {
    await this.queue.onSubmittedWorkDone();
    this.assertUsable();
  }

  /** Drains the queue and destroys the device, unless the caller brought it. */
  async dispose(): Promise<void> {
    if (this.#lost === undefined) await this.queue.onSubmittedWorkDone().catch(() => undefined);
    if (!this.#owned) return;
    this.device.destroy();
    await this.device.lost;
  }
}
