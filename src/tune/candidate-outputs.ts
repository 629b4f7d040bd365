import type { GpuDevice } from "../gpu/device.ts";
import { ReadbackRing } from "../gpu/readback-ring.ts";
import type { Readback } from "../gpu/readback-ring.ts";
import type { Dtype } from "../graph/ir.ts";
import { defaultRoute } from "../kernels/shared/tunable.ts";
import type { TunableCall } from "../graph/tuning.ts";
import { f16ToF32 } from "../quant/f16.ts";
import type { CandidateOutput } from "./agreement.ts";
import type { OperandBuffers } from "./operand-buffers.ts";
import type { PreparedCandidate } from "./prepared-candidate.ts";

/** Large results are compared in parts: so many of so many bytes, the ends among them. */
const WINDOWS = 16;
const WINDOW_BYTES = 2 ** 16;
/** Of a cache a call writes one row: at its begin or end where candidates are timed. */
const STATE_WINDOW_BYTES = 2 ** 13;

/** A part of an operand that is compared. */
interface Window {
  readonly operand: string;
  readonly offset: number;
  readonly bytes: number;
  /** What it holds before every run, so that what is not written is seen. */
  readonly before: Uint8Array<ArrayBuffer>;
  readonly decode: (bytes: ArrayBuffer) => ArrayLike<number>;
}

function numbersOf(dtype: Dtype, bytes: ArrayBuffer): ArrayLike<number> {
  switch (dtype) {
    case "f32":
      return new Float32Array(bytes);
    case "f16":
      return f16ToF32(new Uint16Array(bytes));
    case "i32":
      return new Int32Array(bytes);
    case "i8":
      return new Int8Array(bytes);
    case "u8":
    case "bool":
      return new Uint8Array(bytes);
    default:
      throw new Error(`tune: ${String(dtype satisfies never)}`);
  }
}

/** Operands that all candidates write alike, as the default does; scratch is nobody else's. */
function writtenOperands({ tunable, operands }: TunableCall): string[] {
  const written = defaultRoute(tunable).dispatches.flatMap(({ kernel, bind }) =>
    kernel.bindings.filter(({ type }) => type === "storage").map(({ name }) => bind[name] ?? ""),
  );
  const { undetermined = [] } = tunable;
  return [...new Set(written)].filter(
    (operand) => operand in operands && !undetermined.includes(operand),
  );
}

function windowsOf(call: TunableCall, buffers: OperandBuffers): Window[] {
  return writtenOperands(call).flatMap((operand): Window[] => {
    const { dtype, kind, bytes } = call.operands[operand]!;
    const encoding = call.tunable.encodings?.[operand];
    const decode = (contents: ArrayBuffer) =>
      encoding?.decode(new Uint8Array(contents)) ?? numbersOf(dtype, contents);
    const window = (offset: number, length: number): Window => ({
      operand,
      offset,
      bytes: length,
      // Calls also read their caches; elsewhere a NaN, in either float.
      before:
        kind === "state"
          ? buffers.contents(operand, offset, length)
          : new Uint8Array(length).fill(0xff),
      decode,
    });
    const part = kind === "state" ? STATE_WINDOW_BYTES : WINDOW_BYTES;
    // Encoded operands are small, and have no parts.
    if (bytes <= WINDOWS * part || encoding !== undefined) {
      return [window(0, Math.ceil(bytes / 4) * 4)];
    }
    const step = (bytes - part) / (WINDOWS - 1);
    return Array.from({ length: WINDOWS }, (_, index) =>
      window(Math.floor((index * step) / 4) * 4, part),
    );
  });
}

/** Runs candidates on the same operands and reads what they write. */
export class OutputReader {
  readonly #gpu: GpuDevice;
  readonly #buffers: OperandBuffers;
  readonly #windows: readonly Window[];
  readonly #ring: ReadbackRing;

  constructor(gpu: GpuDevice, call: TunableCall, buffers: OperandBuffers) {
    this.#gpu = gpu;
    this.#buffers = buffers;
    this.#windows = windowsOf(call, buffers);
    const largest = Math.max(4, ...this.#windows.map(({ bytes }) => bytes));
    this.#ring = new ReadbackRing(gpu, "tune.outputs", largest);
  }

  /** The results of every trial, one after another. Rejects with `DeviceError`. */
  async read(candidate: PreparedCandidate, trials: number): Promise<CandidateOutput> {
    const parts: ArrayLike<number>[] = [];
    for (let trial = 0; trial < trials; trial++) {
      for (const { operand, offset, before } of this.#windows) {
        this.#gpu.queue.writeBuffer(this.#buffers.buffer(operand), offset, before);
      }
      for (const [index, readback] of this.#run(candidate, trial).entries()) {
        parts.push(this.#windows[index]!.decode(await readback.read()));
      }
    }
    const values = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      values.set(part, at);
      at += part.length;
    }
    return { name: candidate.name, values };
  }

  #run(candidate: PreparedCandidate, trial: number): Readback[] {
    const encoder = this.#gpu.device.createCommandEncoder({ label: candidate.name });
    const pass = encoder.beginComputePass({ label: candidate.name });
    candidate.encode(pass, trial, 1);
    pass.end();
    const readbacks = this.#windows.map(({ operand, offset, bytes }) =>
      this.#ring.copy(encoder, this.#buffers.buffer(operand), offset, bytes),
    );
    this.#gpu.queue.submit([encoder.finish()]);
    return readbacks;
  }

  dispose(): void {
    this.#ring.dispose();
  }
}
