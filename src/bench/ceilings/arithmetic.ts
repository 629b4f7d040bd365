/** How many operations a second the device's units reach when nothing else holds them up. */
import type { Capabilities, SubgroupMatrixConfig } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import { defineKernel } from "../../gpu/kernel.ts";
import type { Kernel } from "../../gpu/kernel.ts";
import type { ArithmeticUnit } from "../../gpu/work.ts";
import { workgroupSize } from "../../gpu/workgroup-size.ts";
import type { Checks } from "../checks.ts";
import { KernelTimer } from "../kernel-timer.ts";
import { measurementOf } from "../statistics.ts";
import type { Measurement } from "../statistics.ts";
import { warmUp } from "../warm-up.ts";
import integerDot from "./integer-dot.wgsl";
import matrixMultiply from "./matrix-multiply.wgsl";
import multiplyAdd from "./multiply-add.wgsl";

/** Long enough that launching does not count. */
const ENOUGH_NS = 2e6;
/** Up to here every sum is a whole number that f32 holds. */
const MAX_ITERATIONS = 2 ** 16;
const WORKGROUPS = 4096;
const MATRIX_WORKGROUPS = 1024;
const SMALL_WORKGROUPS = 8;

/** A kernel that computes in registers, and what must come out. */
interface ArithmeticProbe {
  readonly unit: ArithmeticUnit;
  readonly kernel: Kernel;
  readonly params: Readonly<Record<string, number>>;
  readonly workgroups: number;
  /** Additions and multiplications of one iteration of one workgroup. */
  readonly operations: number;
  /** Bytes a workgroup writes. */
  readonly resultBytes: number;
  /** The results of a workgroup. */
  readonly expected: (iterations: number) => ArrayLike<number>;
  readonly read: (bytes: ArrayBuffer) => ArrayLike<number>;
}

/** Chains of multiply-add.wgsl are vectors that begin with the lane, from 0 to 7, plus 0 to 3. */
function f32Probe(workgroups: number): ArithmeticProbe {
  const kernel = defineKernel({ label: "bench_multiply_add", parts: [multiplyAdd] });
  const [lanes] = workgroupSize(kernel);
  return {
    unit: "f32",
    kernel,
    params: { factor: 1, addend: 1 },
    workgroups,
    operations: lanes * 8 * 4 * 2,
    resultBytes: 4 * lanes,
    expected: (iterations) =>
      Array.from({ length: lanes }, (_, lane) => 4 * (4 * (lane % 8) + 6 + 4 * 2 * iterations)),
    read: (bytes) => new Float32Array(bytes),
  };
}

const DOT_FACTOR = 0x0302ff01;
const DOT_ADDEND = 77;

/** What integer-dot.wgsl does to one chain, 2 · iterations times. */
function dotChain(start: number, iterations: number): number {
  const byte = (word: number, index: number) => (word << (24 - 8 * index)) >> 24;
  let x = start;
  for (let i = 0; i < 2 * iterations; i++) {
    let sum = DOT_ADDEND;
    for (let index = 0; index < 4; index++) sum += byte(x, index) * byte(DOT_FACTOR, index);
    x = sum;
  }
  return x;
}

function dotProbe(workgroups: number): ArithmeticProbe {
  const kernel = defineKernel({ label: "bench_integer_dot", parts: [integerDot] });
  const [lanes] = workgroupSize(kernel);
  return {
    unit: "integer-dot",
    kernel,
    params: { factor: DOT_FACTOR, addend: DOT_ADDEND },
    workgroups,
    operations: lanes * 16 * 8,
    resultBytes: 4 * lanes,
    expected: (iterations) => {
      const chains = Array.from({ length: 15 }, (_, start) => dotChain(start, iterations));
      return Array.from({ length: lanes }, (_, lane) =>
        chains.slice(lane % 8, (lane % 8) + 8).reduce((sum, chain) => sum + chain, 0),
      );
    },
    read: (bytes) => new Int32Array(bytes),
  };
}

const LEFTS = 2;
const RIGHTS = 4;
const SUBGROUPS = 8;

/** One subgroup's results of matrix-multiply.wgsl after one iteration: [LEFTS, RIGHTS, M, N]. */
function matrixProducts({ M, N, K }: SubgroupMatrixConfig): number[] {
  const products: number[] = [];
  for (let a = 0; a < LEFTS; a++) {
    for (let b = 0; b < RIGHTS; b++) {
      for (let at = 0; at < M * N; at++) {
        const [m, n] = [Math.floor(at / N), at % N];
        let sum = 0;
        for (let k = 0; k < K; k++) {
          sum += (((7 * m + 3 * k + a) % 5) - 2) * (((5 * k + 2 * n + b) % 7) - 3);
        }
        products.push(sum);
      }
    }
  }
  return products;
}

/** The kernel for a shape of matrices, for subgroups of exactly `subgroupSize` lanes. */
export function matrixKernel(config: SubgroupMatrixConfig, subgroupSize: number): Kernel {
  const { M, N, K } = config;
  return defineKernel({
    label: `bench_matrix_multiply_${M}x${N}x${K}`,
    parts: [matrixMultiply],
    constants: { M, N, K, SUBGROUP_SIZE: subgroupSize },
  });
}

function matrixProbe(
  config: SubgroupMatrixConfig,
  subgroupSize: number,
  workgroups: number,
): ArithmeticProbe {
  const { M, N, K } = config;
  const products = matrixProducts(config);
  const all = Array.from({ length: SUBGROUPS }, () => products).flat();
  return {
    unit: "subgroup-matrix",
    kernel: matrixKernel(config, subgroupSize),
    params: {},
    workgroups,
    operations: SUBGROUPS * LEFTS * RIGHTS * 2 * M * N * K,
    resultBytes: 4 * all.length,
    expected: (iterations) => all.map((product) => product * iterations),
    read: (bytes) => new Float32Array(bytes),
  };
}

function probesFor(capabilities: Capabilities, small: boolean): ArithmeticProbe[] {
  const { subgroups, subgroupMatrices, integerDot, f16, limits } = capabilities;
  const workgroups = (count: number) => (small ? SMALL_WORKGROUPS : count);
  const probes = [f32Probe(workgroups(WORKGROUPS))];
  if (integerDot) probes.push(dotProbe(workgroups(WORKGROUPS)));
  const lanes = SUBGROUPS * (subgroups?.maxSize ?? 0);
  const able =
    f16 &&
    subgroups !== undefined &&
    subgroups.minSize === subgroups.maxSize &&
    lanes <= limits.maxComputeInvocationsPerWorkgroup;
  if (!able) return probes;
  for (const config of subgroupMatrices) {
    if (config.componentType !== "f16" || config.resultComponentType !== "f32") continue;
    probes.push(matrixProbe(config, subgroups.maxSize, workgroups(MATRIX_WORKGROUPS)));
  }
  return probes;
}

/** Operations a second of one unit. */
export interface ArithmeticCeiling {
  readonly unit: ArithmeticUnit;
  readonly kernel: string;
  readonly operationsPerSecond: Measurement;
}

async function measure(
  gpu: GpuDevice,
  probe: ArithmeticProbe,
  runs: number,
  small: boolean,
  checks: Checks,
): Promise<ArithmeticCeiling> {
  const { kernel, workgroups, resultBytes } = probe;
  const timer = new KernelTimer(gpu, runs);
  try {
    const out = timer.buffer(kernel.label, workgroups * resultBytes);
    const at = (iterations: number) => ({
      kernel,
      buffers: { out },
      params: { ...probe.params, iterations },
      grid: [workgroups, 1, 1] as const,
    });
    let iterations = 16;
    // Not yet on a clock to judge by.
    await timer.time(at(iterations), 1);
    for (;;) {
      const [ns = 0] = await timer.time(at(iterations), 1);
      if (ns >= ENOUGH_NS || iterations === MAX_ITERATIONS) break;
      const factor = Math.min(16, Math.max(2, Math.ceil(ENOUGH_NS / Math.max(1, ns))));
      iterations = Math.min(MAX_ITERATIONS, iterations * factor);
    }
    await warmUp(small, () => timer.time(at(iterations), 1));
    const times = await timer.time(at(iterations), runs);
    const expected = probe.expected(iterations);
    for (const workgroup of [0, workgroups - 1]) {
      const found = probe.read(await timer.read(out, workgroup * resultBytes, resultBytes));
      const wrong = Array.from(expected).filter((value, i) => value !== found[i]).length;
      checks.add(
        `${kernel.label}, workgroup ${workgroup}`,
        wrong === 0,
        `${wrong} of ${expected.length} results differ`,
      );
    }
    const operations = probe.operations * workgroups * iterations;
    const rates = times.map((ns) => (operations / Math.max(1, ns)) * 1e9);
    return {
      unit: probe.unit,
      kernel: kernel.label,
      operationsPerSecond: measurementOf(rates),
    };
  } finally {
    timer.dispose();
  }
}

/** The rate of every unit the device has; of matrix shapes the fastest. `small`: of a size for a CPU. */
export async function measureArithmetic(
  gpu: GpuDevice,
  runs: number,
  small: boolean,
  checks: Checks,
): Promise<ArithmeticCeiling[]> {
  const best = new Map<ArithmeticUnit, ArithmeticCeiling>();
  for (const probe of probesFor(gpu.capabilities, small)) {
    const ceiling = await measure(gpu, probe, runs, small, checks);
    const known = best.get(probe.unit)?.operationsPerSecond.median ?? 0;
    if (ceiling.operationsPerSecond.median > known) best.set(probe.unit, ceiling);
  }
  return [...best.values()];
}
