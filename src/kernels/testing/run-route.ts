import type { Capabilities } from "../../gpu/capabilities.ts";
import type { GpuDevice } from "../../gpu/device.ts";
import type { Route } from "../../gpu/kernel.ts";
import { ParamsArena } from "../../gpu/params-arena.ts";
import { checkGuards, GuardedBuffer, SENTINEL_BYTE } from "./guarded-buffer.ts";

/** What an operand starts with: its contents, or its size in bytes, filled with a sentinel. */
export type Operand = ArrayBufferView | { readonly bytes: number };

function operandBytes(operand: Operand): Uint8Array {
  if (!ArrayBuffer.isView(operand)) return new Uint8Array(operand.bytes).fill(SENTINEL_BYTE);
  return new Uint8Array(operand.buffer, operand.byteOffset, operand.byteLength);
}

function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(Math.max(4, Math.ceil(bytes.length / 4) * 4));
  result.set(bytes);
  return result;
}

/**
 * Runs a route once on operands given as plain arrays and returns the bytes of those named in
 * `read`. Params go as `capabilities` allow. Validation errors reject, and so does a write beside an operand.
 */
export async function runRoute<Live>(
  gpu: GpuDevice,
  route: Route<Live>,
  operands: Readonly<Record<string, Operand>>,
  live: Live,
  read: readonly string[],
  capabilities = gpu.capabilities,
): Promise<Record<string, ArrayBuffer>> {
  gpu.device.pushErrorScope("validation");
  let contents: Record<string, ArrayBuffer> = {};
  let failure: unknown;
  try {
    contents = await execute(gpu, route, operands, live, read, capabilities);
  } catch (error) {
    failure = error;
  }
  const error = await gpu.device.popErrorScope();
  if (error !== null) throw new Error(`${route.name}: ${error.message}`, { cause: failure });
  if (failure !== undefined) throw failure;
  return contents;
}

async function execute<Live>(
  gpu: GpuDevice,
  route: Route<Live>,
  operands: Readonly<Record<string, Operand>>,
  live: Live,
  read: readonly string[],
  { limits }: Capabilities,
): Promise<Record<string, ArrayBuffer>> {
  const { device, queue } = gpu;
  const buffers = new Map<string, GuardedBuffer>();
  const made: GPUBuffer[] = [];
  const arenas: ParamsArena[] = [];
  const upload = (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    const guarded = new GuardedBuffer(gpu, name, bytes);
    buffers.set(name, guarded);
    made.push(guarded.buffer);
  };
  const createTarget = (name: string, bytes: number): GPUBuffer => {
    const target = gpu.createBuffer(name, bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    made.push(target);
    return target;
  };
  try {
    for (const [name, operand] of Object.entries(operands)) {
      upload(name, padded(operandBytes(operand)));
    }
    for (const [name, bytes] of Object.entries(route.scratch)) {
      upload(name, padded(operandBytes({ bytes })));
    }
    const encoder = device.createCommandEncoder({ label: route.name });
    const pass = encoder.beginComputePass({ label: route.name });
    for (const template of route.dispatches) {
      const { kernel } = template;
      const grid = template.grid(live);
      // A route may hold several dispatches for different sizes.
      if (grid.includes(0)) continue;
      const compiled = await gpu.pipelines.get(kernel, limits);
      const params = new ParamsArena(gpu, "test.params", [compiled]);
      arenas.push(params);
      params.update(0, template.params(live));
      params.flush();
      pass.setPipeline(compiled.pipeline);
      pass.setBindGroup(
        0,
        params.createBindGroup(0, kernel.label, (name) => {
          const operand = template.bind[name] ?? "";
          const buffer = buffers.get(operand);
          if (buffer === undefined) {
            throw new Error(`${route.name}: binding "${name}" has no operand "${operand}"`);
          }
          return buffer.binding;
        }),
      );
      params.encode(pass, 0);
      pass.dispatchWorkgroups(...grid);
    }
    pass.end();
    const results = read.map((name) => {
      const source = buffers.get(name);
      if (source === undefined) throw new Error(`${route.name}: no operand "${name}" to read`);
      const target = createTarget(`test.read.${name}`, source.bytes);
      source.copyContents(encoder, target);
      return [name, target] as const;
    });
    const guards = createTarget("test.guards", buffers.size * GuardedBuffer.guardBytes);
    let offset = 0;
    for (const buffer of buffers.values()) offset = buffer.copyGuards(encoder, guards, offset);
    queue.submit([encoder.finish()]);
    // At once: each would wait for the next look at the queue.
    const targets = [guards, ...results.map(([, target]) => target)];
    await Promise.all(targets.map((target) => target.mapAsync(GPUMapMode.READ)));
    checkGuards([...buffers.keys()], guards.getMappedRange());
    return Object.fromEntries(
      results.map(([name, target]) => [name, target.getMappedRange().slice(0)]),
    );
  } finally {
    for (const buffer of made) gpu.destroyBuffer(buffer);
    for (const arena of arenas) arena.dispose();
  }
}
