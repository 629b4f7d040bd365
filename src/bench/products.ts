/**
 * Single products of a model's largest shapes, as the engine would run them: the same graph, passes,
 * plan and executor, over several copies of the weights so that no cache holds the next one.
 */
import type { Q4Matrix } from "../checkpoint.ts";
import { DeviceError } from "../errors.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import type { GpuDevice } from "../gpu/device.ts";
import { DispatchClock, QueryPool } from "../gpu/query-pool.ts";
import type { DispatchRecord } from "../gpu/query-pool.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";
import { BufferSet } from "../graph/buffer-set.ts";
import { GraphBuilder } from "../graph/builder.ts";
import { ConstantStore } from "../graph/constant-store.ts";
import { Executor } from "../graph/executor.ts";
import type { Graph, Tensor } from "../graph/ir.ts";
import { optimizeGraph } from "../graph/passes/index.ts";
import { planGraph } from "../graph/plan.ts";
import type { Plan, PlannedDispatch } from "../graph/plan.ts";
import { SymIntValues } from "../graph/symint.ts";
import { dequantizeQ4Row } from "../quant/q4gsw.ts";
import type { TuningPlace } from "../tuned-plans.ts";
import { tuneDevice } from "../tune/device-tuning.ts";
import type { Checks } from "./checks.ts";
import { ones, randomQ4Matrix } from "./random-checkpoint.ts";
import { measurementOf } from "./statistics.ts";
import type { Measurement } from "./statistics.ts";
import { warmUp } from "./warm-up.ts";

/** out [M, N] = x [M, K] · weightᵀ, a single row of x normalised first, as a decoder's. */
export interface ProductShape {
  readonly name: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** Of an 8B model's gate and up at a prompt of 2,048, and of a 1B model's vocabulary. */
const PRODUCTS: readonly ProductShape[] = [
  { name: "prompt, 4096 → 28672", M: 2048, N: 28_672, K: 4096 },
  { name: "vocabulary, 2048 → 128256", M: 1, N: 128_256, K: 2048 },
];
/** What a CPU manages in the time of a test. */
const SMALL_PRODUCTS: readonly ProductShape[] = [
  { name: "prompt, 256 → 512", M: 64, N: 512, K: 256 },
  { name: "vocabulary, 256 → 2048", M: 1, N: 2048, K: 256 },
];

/** Copies of the weights together: several times what caches hold. */
const ROTATED_BYTES = 2 ** 29;
const SMALL_ROTATED_BYTES = 2 ** 20;
const MAX_COPIES = 8;

/** Of a single row, how often each copy is multiplied in the pass that is timed: a pass takes time by itself. */
const ROUNDS = 8;

const NORM_EPSILON = 1e-5;
const CHECKED_OUTPUTS = 16;

/**
 * Of the outputs' root mean square. The bounds of `linear_q4gsw`'s cases, whose outputs are 0.26:
 * see docs/numerics.md.
 */
const TOLERANCE_F32 = 1e-4 / 0.26;
const TOLERANCE_MATRIX = 4e-4 / 0.26;

export interface ProductOptions {
  /** Products of a size for a CPU. */
  readonly small: boolean;
  /** Where the device's choices among kernels are; undefined: the defaults run. */
  readonly tuning: TuningPlace | undefined;
}

export interface ProductResult extends ProductShape {
  /** The dispatch that reads the weights, and its time; of a single row, in a pass with many others. */
  readonly kernel: string;
  readonly microseconds: Measurement;
  /** With what prepares its input, if anything. */
  readonly totalMicroseconds: Measurement;
  readonly bytes: number;
  readonly operations: number;
  readonly unit: DispatchRecord["work"]["unit"];
  readonly copies: number;
}

/** Whole multiples of 2^-10 in [−1, 1): f16 holds them, so that only the weights are rounded. */
function activations(count: number): Float32Array<ArrayBuffer> {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 21) / 1024 - 1;
  });
}

interface ProductGraphs {
  readonly matrices: readonly Q4Matrix[];
  readonly graphs: readonly Graph[];
  readonly x: Tensor;
  readonly out: Tensor;
}

/** A graph a copy of the weights, with one input and one output buffer for all. */
function productGraphs(
  { M, N, K }: ProductShape,
  copies: number,
  capabilities: Capabilities,
): ProductGraphs {
  const x: Tensor = {
    kind: "tensor",
    name: "x",
    dtype: "f32",
    dims: [M, K],
    storage: { kind: "input" },
  };
  const out: Tensor = {
    kind: "tensor",
    name: "out",
    dtype: "f32",
    dims: [M, N],
    storage: { kind: "activation" },
  };
  const matrices = Array.from({ length: copies }, (_, copy) =>
    randomQ4Matrix(`product.${copy}`, N, K),
  );
  const normWeights = ones(K);
  const graphs = matrices.map((matrix, copy) => {
    const graph = new GraphBuilder(`product.${copy}`);
    const norm = graph.constant("norm", "f32", [K], normWeights);
    const input =
      M === 1 ? graph.node("et_vk.rms_norm.default", "normed", x, norm, NORM_EPSILON) : x;
    const weight = graph.constant("weight", "u8", [N, K / 2], matrix.data, 0);
    const scales = graph.constant("scales", "f16", [N, K / 32], matrix.data, 1);
    const args = [input, weight, scales, matrix.groupSize, null];
    const result = graph.node("et_vk.linear_q4gsw.default", "out", ...args);
    const built = graph.build();
    // The builder's result is a tensor of each graph; the output is one buffer.
    const nodes = built.nodes.map((node) => ({
      ...node,
      results: node.results.map((tensor) => (tensor === result ? out : tensor)),
    }));
    return optimizeGraph({ ...built, inputs: [x], outputs: [out], nodes }, capabilities);
  });
  return { matrices, graphs, x, out };
}

/** The product's executors and the memory they share. */
class Product {
  readonly #gpu: GpuDevice;
  readonly #graphs: ProductGraphs;
  readonly #constants: ConstantStore;
  readonly #buffers: BufferSet;
  readonly #values = new SymIntValues();
  #executors: Executor[] = [];
  /** Of the dispatches that read the weights alone. */
  #mains: Executor[] = [];

  constructor(gpu: GpuDevice, graphs: ProductGraphs) {
    this.#gpu = gpu;
    this.#graphs = graphs;
    this.#constants = new ConstantStore(gpu);
    this.#buffers = new BufferSet(gpu, "product", this.#constants);
  }

  async prepare(plans: readonly Plan[], x: Float32Array<ArrayBuffer>): Promise<void> {
    const prepare = (all: readonly Plan[]) =>
      Promise.all(all.map((plan) => Executor.prepare(this.#gpu, plan, this.#buffers)));
    await this.#gpu.catchOutOfMemory("allocating a product", () =>
      Promise.resolve(this.#buffers.allocate(plans)),
    );
    await this.#constants.load(plans.flatMap(({ constants }) => constants));
    this.#executors = await prepare(plans);
    const mains = plans.map((plan) => ({
      ...plan,
      dispatches: plan.dispatches.filter(readsWeight),
    }));
    if (mains.some(({ dispatches }) => dispatches.length === 0)) {
      throw new Error("bench: a product reads its weights");
    }
    this.#mains = await prepare(mains);
    this.#gpu.queue.writeBuffer(this.#buffers.tensor(this.#graphs.x), 0, x);
  }

  /** Records of one product with every copy. */
  async time(pool: QueryPool): Promise<DispatchRecord[]> {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "product" });
    for (const executor of this.#executors) {
      executor.update(this.#values);
      executor.encodeTimed(encoder, pool, this.#values);
    }
    const readback = pool.resolve(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
    return new DispatchClock().measure(await readback.read());
  }

  /** Nanoseconds of a product with one copy once its input is prepared, as it was by the last of {@link time}. */
  async timeMain(pool: QueryPool): Promise<number> {
    const encoder = this.#gpu.device.createCommandEncoder({ label: "product" });
    const pass = encoder.beginComputePass({ timestampWrites: pool.bracketPass("product") });
    for (const executor of this.#mains) executor.update(this.#values);
    for (let round = 0; round < ROUNDS; round++) {
      for (const executor of this.#mains) executor.encode(pass);
    }
    pass.end();
    const readback = pool.resolve(encoder);
    this.#gpu.queue.submit([encoder.finish()]);
    const [record] = new DispatchClock().measure(await readback.read());
    return (record?.durationNs ?? 0) / (ROUNDS * this.#mains.length);
  }

  /** Elements `[first, first + count)` of the product with one copy. */
  async compute(copy: number, first: number, count: number): Promise<Float32Array> {
    const executor = this.#executors[copy];
    if (executor === undefined) throw new Error(`bench: no copy ${copy}`);
    const ring = new ReadbackRing(this.#gpu, "product.out", 4 * count);
    try {
      executor.update(this.#values);
      const encoder = this.#gpu.device.createCommandEncoder({ label: "product" });
      const pass = encoder.beginComputePass();
      executor.encode(pass);
      pass.end();
      const out = this.#buffers.tensor(this.#graphs.out);
      const readback = ring.copy(encoder, out, 4 * first, 4 * count);
      this.#gpu.queue.submit([encoder.finish()]);
      return new Float32Array(await readback.read());
    } finally {
      ring.dispose();
    }
  }

  dispose(): void {
    for (const executor of [...this.#executors, ...this.#mains]) executor.dispose();
    this.#buffers.dispose();
    this.#constants.dispose();
  }
}

/** Whether a dispatch multiplies: one of many rows may have its weights prepared by another. */
const readsWeight = ({ bindings }: PlannedDispatch): boolean =>
  Object.values(bindings).some(
    (reference) => reference.kind === "constant" && reference.tensor.name === "weight",
  );

/** The product's input in float64: x, or what the norm makes of it. */
function exactInput({ M }: ProductShape, x: Float32Array): Float64Array {
  const exact = Float64Array.from(x);
  if (M > 1) return exact;
  const mean = exact.reduce((sum, value) => sum + value * value, 0) / exact.length;
  return exact.map((value) => value / Math.sqrt(mean + NORM_EPSILON));
}

async function exactOutput(
  matrix: Q4Matrix,
  n: number,
  x: Float64Array,
  m: number,
): Promise<number> {
  const { columns: K, groupSize } = matrix;
  const [weight, scales] = await matrix.data.read(n, 1);
  if (weight === undefined || scales === undefined) throw new Error("bench: a row has two planes");
  const planes = {
    rows: 1,
    columns: K,
    groupSize,
    weight,
    scales: new Uint16Array(scales.buffer),
    scaleType: "f16",
  } as const;
  return dequantizeQ4Row(planes, 0).reduce((sum, value, k) => sum + value * x[m * K + k]!, 0);
}

/** Some outputs of each copy's first and last row against float64. */
async function checkOutputs(
  product: Product,
  shape: ProductShape,
  matrices: readonly Q4Matrix[],
  x: Float64Array,
  tolerance: number,
  checks: Checks,
): Promise<void> {
  const { name, M, N } = shape;
  for (const [copy, matrix] of matrices.entries()) {
    let [worst, squares, count] = [0, 0, 0];
    for (const m of new Set([0, M - 1])) {
      const row = await product.compute(copy, m * N, N);
      for (const value of row) squares += value * value;
      count += N;
      for (let i = 0; i < CHECKED_OUTPUTS; i++) {
        const n = i === 0 ? N - 1 : Math.floor((i * N) / CHECKED_OUTPUTS);
        const error = Math.abs(row[n]! - (await exactOutput(matrix, n, x, m)));
        // Not Math.max, which forgets a NaN only if it comes first.
        if (!(error <= worst)) worst = error;
      }
    }
    const allowed = tolerance * Math.sqrt(squares / count);
    checks.add(
      `${name}, copy ${copy}`,
      worst <= allowed,
      `an output is off by ${worst.toExponential(1)}; allowed ${allowed.toExponential(1)}`,
    );
  }
}

async function measureProduct(
  gpu: GpuDevice,
  shape: ProductShape,
  { small, tuning }: ProductOptions,
  runs: number,
  checks: Checks,
): Promise<ProductResult> {
  const { M, N, K } = shape;
  const rotated = small ? SMALL_ROTATED_BYTES : ROTATED_BYTES;
  const weightBytes = (N * K) / 2 + (N * K) / 16;
  const copies = Math.max(2, Math.min(MAX_COPIES, Math.ceil(rotated / weightBytes)));
  const graphs = productGraphs(shape, copies, gpu.capabilities);
  let plans = graphs.graphs.map((graph) => planGraph(graph, gpu.capabilities));
  if (tuning !== undefined) {
    const tunables = plans.flatMap((plan) => plan.tunables);
    const choices = (await tuneDevice(gpu, [tunables], tuning)).tuning;
    plans = graphs.graphs.map((graph) => planGraph(graph, gpu.capabilities, choices));
  }
  const x = activations(M * K);
  const product = new Product(gpu, graphs);
  const dispatches = plans.reduce((sum, plan) => sum + plan.dispatches.length, 0);
  let pool: QueryPool | undefined;
  try {
    await product.prepare(plans, x);
    pool = new QueryPool(gpu, "product", dispatches);
    const timer = pool;
    await warmUp(small, () => product.time(timer));
    const timed: DispatchRecord[][] = [];
    const rowNs: number[] = [];
    for (let run = 0; run < runs; run++) {
      timed.push(await product.time(pool));
      if (M === 1) rowNs.push(await product.timeMain(pool));
    }
    const main = timed[0]?.reduce((a, b) => (b.work.bytes > a.work.bytes ? b : a));
    if (main === undefined) throw new Error("bench: a product has dispatches");
    const microseconds = (records: readonly DispatchRecord[]) =>
      records.reduce((sum, { durationNs }) => sum + durationNs, 0) / 1000 / copies;
    const isMain = ({ kernel }: DispatchRecord) => kernel === main.kernel;
    const mains = timed[0]!.filter(isMain);
    const tolerance = main.work.unit === "subgroup-matrix" ? TOLERANCE_MATRIX : TOLERANCE_F32;
    await checkOutputs(product, shape, graphs.matrices, exactInput(shape, x), tolerance, checks);
    return {
      ...shape,
      kernel: main.kernel,
      microseconds: measurementOf(
        M === 1
          ? rowNs.map((ns) => ns / 1000)
          : timed.map((records) => microseconds(records.filter(isMain))),
      ),
      totalMicroseconds: measurementOf(timed.map(microseconds)),
      // A matrix over the binding limit takes several dispatches.
      bytes: mains.reduce((sum, { work }) => sum + work.bytes, 0) / copies,
      operations: mains.reduce((sum, { work }) => sum + work.operations, 0) / copies,
      unit: main.work.unit,
      copies,
    };
  } finally {
    pool?.dispose();
    product.dispose();
  }
}

/** Measures every product that the device has memory for; says of the others why not. */
export async function measureProducts(
  gpu: GpuDevice,
  runs: number,
  options: ProductOptions,
  checks: Checks,
  onSkipped: (message: string) => void,
): Promise<ProductResult[]> {
  const results: ProductResult[] = [];
  if (!gpu.capabilities.timestamps) {
    onSkipped("single products were left out: the device has no timestamp queries");
    return results;
  }
  for (const shape of options.small ? SMALL_PRODUCTS : PRODUCTS) {
    try {
      results.push(await measureProduct(gpu, shape, options, runs, checks));
    } catch (error) {
      if (!(error instanceof DeviceError) || error.reason !== "memory") throw error;
      onSkipped(`the product ${shape.name} was left out: ${error.message}`);
    }
  }
  return results;
}
