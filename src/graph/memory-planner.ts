/** When a buffer of a plan is needed: from the call that writes it to the last that reads it. */
export interface Lifetime {
  readonly bytes: number;
  /** Indices of calls, inclusive. */
  readonly first: number;
  readonly last: number;
}

/** Which slot each buffer got, and how large the slots must be. */
export interface MemoryPlan {
  readonly slotOf: readonly number[];
  readonly slotBytes: readonly number[];
}

/**
 * Assigns buffers to shared slots by liveness: two buffers share a slot only if no call needs both,
 * reading or writing. Greedy in order of first use: the free slot that fits best, else the largest
 * free one grown, else a new one. Whole slots are shared, not ranges, because WebGPU forbids reading
 * and writing one buffer in one dispatch.
 */
export function planMemory(lifetimes: readonly Lifetime[]): MemoryPlan {
  const order = lifetimes
    .map((_, index) => index)
    .sort((a, b) => {
      const [la, lb] = [lifetimes[a]!, lifetimes[b]!];
      return la.first - lb.first || lb.bytes - la.bytes || a - b;
    });
  const slotOf = lifetimes.map(() => -1);
  const slotBytes: number[] = [];
  const busyUntil: number[] = [];
  for (const index of order) {
    const { bytes, first, last } = lifetimes[index]!;
    const slot = chooseSlot(bytes, first, slotBytes, busyUntil);
    slotOf[index] = slot;
    slotBytes[slot] = Math.max(slotBytes[slot] ?? 0, bytes);
    busyUntil[slot] = last;
  }
  return { slotOf, slotBytes };
}

function chooseSlot(
  bytes: number,
  first: number,
  slotBytes: readonly number[],
  busyUntil: readonly number[],
): number {
  let fitting = -1;
  let largest = -1;
  slotBytes.forEach((size, slot) => {
    if ((busyUntil[slot] ?? 0) >= first) return;
    if (size >= bytes && (fitting < 0 || size < slotBytes[fitting]!)) fitting = slot;
    if (largest < 0 || size > slotBytes[largest]!) largest = slot;
  });
  if (fitting >= 0) return fitting;
  return largest >= 0 ? largest : slotBytes.length;
}
