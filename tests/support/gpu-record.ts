import type { Capabilities } from "../../src/gpu/capabilities.ts";

/** A discrete GPU's record, as data: plans need no device. */
export const GPU: Capabilities = {
  f16: true,
  subgroups: { minSize: 32, maxSize: 32 },
  integerDot: true,
  subgroupMatrices: [],
  timestamps: true,
  software: false,
  unrolls: true,
  limits: {
    maxBufferSize: 2 ** 32,
    maxStorageBufferBindingSize: 2 ** 31,
    maxStorageBuffersPerShaderStage: 10,
    maxComputeWorkgroupStorageSize: 32_768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
    maxComputeWorkgroupsPerDimension: 65_535,
    maxImmediateSize: 64,
    minStorageBufferOffsetAlignment: 256,
    minUniformBufferOffsetAlignment: 256,
  },
  adapter: { vendor: "", architecture: "", device: "", description: "" },
};
