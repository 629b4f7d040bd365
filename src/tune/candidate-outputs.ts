import type { GpuDevice } from "../gpu/device.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";
import { defaultRoute } from "../kernels/shared/tunable.ts";
import type { TunableCall } from "../graph/tuning.ts";
import type { CandidateOutput } from "./agreement.ts";
import type { OperandBuffers } from "./operand-buffers.ts";
import type { PreparedCandidate } from "./prepared-candidate.ts";

/** Large results are compared in parts: so many of so many bytes, the ends among them. */
const WINDOWS = 16;
const WINDOW_BYTES = 2 ** 16;

/** A part of an operand. */
interface Window {
  readonly operand: string;
  readonly offset: number;
  readonly bytes: number;
}

/** What candidates write, as the default does, and others read: caches and scratch apart. */
function windowsOf({ tunable, operands }: TunableCall): Window[] {
  const written = new Set(
    defaultRoute(tunable).dispatches.flatMap(({ kernel, bind }) =>
      kernel.bindings.filter(({ type }) => type === "storage").map(({ name }) => bind[name] ?? ""),
    ),
  );
  return [...written].flatMap((operand): Window[] => {
    const size = operands[operand];
    if (size === undefined || size.kind === "state" || size.dtype !== "f32") return [];
    const { bytes } = size;
    if (bytes <= WINDOWS * WINDOW_BYTES) return [{ operand, offset: 0, bytes }];
    const step = (bytes - WINDOW_BYTES) / (WINDOWS - 1);
    return Array.from({ length: WINDOWS }, (_, index) => ({
      operand,
      offset: Math.floor((index * step) / 4) * 4,
      bytes: WINDOW_BYTES,
    }));
  });
}

/** Runs candidates on the same operands and reads what they write. */
export class OutputReader {
  readonly #gpu: GpuDevice;
  readonly #buffers: OperandBuffers;
  readonly #windows: readonly Window[];
  readonly #ring: ReadbackRing;
  readonly #bytes: number;

  constructor(gpu: GpuDevice, call: TunableCall, buffers: OperandBuffers) {
    this.#gpu = gpu;
    this.#buffers = buffers;
    this.#windows = windowsOf(call);
    this.#bytes = this.#windows.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#ring = new ReadbackRing(gpu, "tune.outputs", Math.max(4, this.#bytes));
  }

  /** The results of every trial, one after another. Rejects with `DeviceError`. */
  async read(candidate: PreparedCandidate, trials: number): Promise<CandidateOutput> {
    const values = new Float32Array((trials * this.#bytes) / 4);
    for (let trial = 0; trial < trials; trial++) {
      // NaN, so that an element nobody writes is seen.
      for (const { operand, offset, bytes } of this.#windows) {
        const unwritten = new Uint8Array(bytes).fill(0xff);
        this.#gpu.queue.writeBuffer(this.#buffers.buffer(operand), offset, unwritten);
      }
      const encoder = this.#gpu.device.createCommandEncoder({ label: candidate.name });
      const pass = encoder.beginComputePass({ label: candidate.name });
      candidate.encode(pass, trial, 1);
      pass.end();
      const readbacks = this.#windows.map(({ operand, offset, bytes }) =>
        this.#ring.copy(encoder, this.#buffers.buffer(operand), offset, bytes),
      );
      this.#gpu.queue.submit([encoder.finish()]);
      let at = (trial * this.#bytes) / 4;
      for (const readback of readbacks) {
        const part = new Float32Array(await readback.read());
        values.set(part, at);
        at += part.length;
      }
    }
    return { name: candidate.name, values };
  }

  dispose(): void {
    this.#ring.dispose();
  }
}
