/** The device limits that kernels and planning depend on. Names are WebGPU's. */
export interface DeviceLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupSizeY: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  /** Bytes; 0 without immediates. */
  readonly maxImmediateSize: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly minUniformBufferOffsetAlignment: number;
}

/** A matrix shape that `chromium-experimental-subgroup-matrix` multiplies in one instruction. */
export interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What an adapter or device can do, as plain data: routes are chosen from this and nothing else. */
export interface Capabilities {
  /** `shader-f16`: half-precision arithmetic and storage. */
  readonly f16: boolean;
  /**
   * Subgroup operations with `subgroup_id` and `num_subgroups` (without those a kernel cannot tell
   * its subgroups apart), and the range of sizes a kernel may meet.
   */
  readonly subgroups: { readonly minSize: number; readonly maxSize: number } | undefined;
  /** WGSL's `packed_4x8_integer_dot_product`. */
  readonly integerDot: boolean;
  readonly subgroupMatrices: readonly SubgroupMatrixConfig[];
  /** `timestamp-query`. */
  readonly timestamps: boolean;
  /**
   * Computes on the CPU: lanes of a workgroup take turns, so barriers are dear and nothing is gained
   * by neighbours reading neighbouring addresses.
   */
  readonly software: boolean;
  /** Long kernels have their loops written out (`// @unroll`). Compilers for CPUs take minutes over that. */
  readonly unrolls: boolean;
  readonly limits: DeviceLimits;
  readonly adapter: AdapterDescription;
}

/** Which GPU this is, for people and for cache keys. Never a reason to choose a kernel. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
}

const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix";

/** Fields newer than the type declarations, or specific to one implementation. */
interface ExtendedAdapterInfo extends GPUAdapterInfo {
  readonly isFallbackAdapter: boolean;
  readonly subgroupMatrixConfigs?: readonly SubgroupMatrixConfig[];
}

function isSoftware(info: ExtendedAdapterInfo): boolean {
  // Older implementations do not say that an adapter is a fallback, but name their renderer.
  return (
    info.isFallbackAdapter ||
    /swiftshader|llvmpipe|software/i.test(`${info.architecture} ${info.description}`)
  );
}

/** A short human name: what the driver calls itself, or vendor and architecture. */
export function adapterName({
  vendor,
  architecture,
  device,
  description,
}: AdapterDescription): string {
  return (
    description ||
    [vendor, architecture || device].filter((part) => part !== "").join(" ") ||
    "unknown GPU"
  );
}

/** Reads the capability record of an adapter, or of a device made from it. */
export function readCapabilities(
  owner: Pick<GPUAdapter, "features" | "limits">,
  info: GPUAdapterInfo,
  wgslFeatures: ReadonlySet<string>,
): Capabilities {
  const extended = info as ExtendedAdapterInfo;
  const { features, limits } = owner;
  return {
    f16: features.has("shader-f16"),
    subgroups:
      features.has("subgroups") && wgslFeatures.has("subgroup_id")
        ? { minSize: extended.subgroupMinSize || 4, maxSize: extended.subgroupMaxSize || 128 }
        : undefined,
    integerDot: wgslFeatures.has("packed_4x8_integer_dot_product"),
    subgroupMatrices: features.has(SUBGROUP_MATRIX)
      ? [...(extended.subgroupMatrixConfigs ?? [])].map((config) => ({
          componentType: config.componentType,
          resultComponentType: config.resultComponentType,
          M: config.M,
          N: config.N,
          K: config.K,
        }))
      : [],
    timestamps: features.has("timestamp-query"),
    software: isSoftware(extended),
    unrolls: !isSoftware(extended),
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeWorkgroupSizeY: limits.maxComputeWorkgroupSizeY,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxImmediateSize: immediateSize(limits, wgslFeatures),
      minStorageBufferOffsetAlignment: limits.minStorageBufferOffsetAlignment,
      minUniformBufferOffsetAlignment: limits.minUniformBufferOffsetAlignment,
    },
    adapter: {
      vendor: info.vendor,
      architecture: info.architecture,
      device: info.device,
      description: info.description,
    },
  };
}

/** Bytes of immediates that kernels can have; their limit is newer than the type declarations. */
function immediateSize(limits: GPUSupportedLimits, wgslFeatures: ReadonlySet<string>): number {
  const { maxImmediateSize = 0 } = limits as { readonly maxImmediateSize?: number };
  return wgslFeatures.has("immediate_address_space") ? maxImmediateSize : 0;
}

/** The optional features worth asking a device for. */
export const WANTED_FEATURES: readonly string[] = [
  "shader-f16",
  "subgroups",
  "timestamp-query",
  SUBGROUP_MATRIX,
];

/** A part of the capabilities to pretend away: for tests, and for `TETRAD` users hunting a driver bug. */
export interface CapabilityOverrides {
  readonly f16?: false;
  readonly subgroups?: false;
  readonly integerDot?: false;
  readonly subgroupMatrices?: false;
  readonly timestamps?: false;
  /** Choose as a software adapter would, or as a GPU would. */
  readonly software?: boolean;
  readonly unrolls?: boolean;
  readonly limits?: Partial<DeviceLimits>;
}

/** `capabilities` with parts taken away: a route must never need more than the record says. */
export function restrictCapabilities(
  capabilities: Capabilities,
  overrides: CapabilityOverrides,
): Capabilities {
  return {
    ...capabilities,
    f16: overrides.f16 ?? capabilities.f16,
    subgroups: overrides.subgroups === false ? undefined : capabilities.subgroups,
    integerDot: overrides.integerDot ?? capabilities.integerDot,
    subgroupMatrices: overrides.subgroupMatrices === false ? [] : capabilities.subgroupMatrices,
    timestamps: overrides.timestamps ?? capabilities.timestamps,
    software: overrides.software ?? capabilities.software,
    unrolls: overrides.unrolls ?? capabilities.unrolls,
    limits: { ...capabilities.limits, ...overrides.limits },
  };
}
