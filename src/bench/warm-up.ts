/**
 * How long a GPU works before anything is timed: it lowers its clocks while it waits, and may take a third of a
 * second of work to raise them.
 */
const WARM_UP_MS = 400;

/** Repeats `work` until the GPU has had time to raise its clocks; once is enough on a CPU. */
export async function warmUp(small: boolean, work: () => Promise<unknown>): Promise<void> {
  const enough = small ? 0 : WARM_UP_MS;
  const began = performance.now();
  do await work();
  while (performance.now() - began < enough);
}
