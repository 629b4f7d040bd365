import process from "node:process";
import { adapterName, readCapabilities } from "../gpu/capabilities.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import { linearQ4gsw } from "../kernels/linear_q4gsw/linear-q4gsw.ts";
import { sdpaWithKvCache } from "../kernels/sdpa_with_kv_cache/sdpa-with-kv-cache.ts";
import { DeviceError } from "../errors.ts";
import { findGpu } from "../platform/node/gpu.ts";
import type { NodeGpuOptions } from "../platform/node/gpu.ts";
import { formatBytes, formatCount } from "./quantities.ts";
import { formatTable } from "./table.ts";

/** Sizes of a model with 8 billion parameters: what the named kernels are chosen for. */
const LINEAR = { N: 4096, K: 4096, groupSize: 32, scaleType: "f16", hasBias: false } as const;
const ATTENTION = {
  heads: 32,
  kvHeads: 8,
  headSize: 128,
  cacheLength: 4096,
  cacheType: "f16",
  scale: 128 ** -0.5,
} as const;
const PROMPT_TOKENS = 512;

const yesNo = (value: boolean): string => (value ? "yes" : "no");

function describeSubgroups({ subgroups }: Capabilities): string {
  if (subgroups === undefined) return "no";
  const { minSize, maxSize } = subgroups;
  return minSize === maxSize ? `of ${minSize}` : `of ${minSize} to ${maxSize}`;
}

function describeMatrices({ subgroupMatrices }: Capabilities): string {
  const shapes = subgroupMatrices.map(
    ({ componentType, resultComponentType, M, N, K }) =>
      `${componentType} ${M}×${N}×${K} → ${resultComponentType}`,
  );
  return shapes.length === 0 ? "no" : shapes.join(", ");
}

function describeKernels(capabilities: Capabilities): string[][] {
  const many = { rows: "many", maxM: PROMPT_TOKENS } as const;
  return [
    ["linear, one token", linearQ4gsw({ ...LINEAR, rows: "one" }, capabilities).name],
    ["linear, prompt", linearQ4gsw({ ...LINEAR, ...many }, capabilities).name],
    ["attention, one token", sdpaWithKvCache({ ...ATTENTION, rows: "one" }, capabilities).name],
    [
      "attention, prompt",
      sdpaWithKvCache({ ...ATTENTION, rows: "many", maxS: PROMPT_TOKENS }, capabilities).name,
    ],
  ];
}

/** One adapter as a block of lines. */
export function describeAdapter(capabilities: Capabilities): string {
  const { adapter, limits } = capabilities;
  const rows = [
    ["vendor, architecture", [adapter.vendor, adapter.architecture].filter(Boolean).join(", ")],
    ["kind", capabilities.software ? "software" : "hardware"],
    ["half precision", yesNo(capabilities.f16)],
    ["subgroups", describeSubgroups(capabilities)],
    ["integer dot products", yesNo(capabilities.integerDot)],
    ["subgroup matrices", describeMatrices(capabilities)],
    ["timestamps", yesNo(capabilities.timestamps)],
    ["largest buffer", formatBytes(limits.maxBufferSize)],
    ["largest binding", formatBytes(limits.maxStorageBufferBindingSize)],
    ["workgroup", `${formatCount(limits.maxComputeInvocationsPerWorkgroup)} invocations`],
    ["workgroup memory", formatBytes(limits.maxComputeWorkgroupStorageSize)],
    ...describeKernels(capabilities),
  ];
  return `${adapterName(adapter)}\n${formatTable(rows.map((row) => ["", ...row]))}`;
}

async function describe(options: NodeGpuOptions): Promise<string> {
  const { gpu, adapter } = await findGpu(options);
  return describeAdapter(readCapabilities(adapter, adapter.info, gpu.wgslLanguageFeatures));
}

/** `tetrad devices`: the adapter that would be used, then the fallback where that is another one. */
export async function devicesCommand(): Promise<void> {
  const blocks: string[] = [];
  const failures: DeviceError[] = [];
  // In this order: once the fallback's driver is loaded, the machine's own is not found any more.
  for (const options of [{}, { forceSoftware: true }] satisfies NodeGpuOptions[]) {
    try {
      const block = await describe(options);
      if (!blocks.includes(block)) blocks.push(block);
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      failures.push(error);
    }
  }
  if (blocks.length === 0) throw failures[0] ?? new DeviceError("unavailable", "gpu: none found");
  process.stdout.write(`${blocks.join("\n\n")}\n`);
}
