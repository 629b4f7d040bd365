import type { TetradOptions } from "../api.ts";
import { Tetrad } from "../node.ts";
import { pollPatiently } from "../platform/node/patient-polling.ts";

/** `Tetrad.create` for a command, whose process is its own: a software adapter gets all of the CPU. */
export async function createTetrad(options: TetradOptions): Promise<Tetrad> {
  const tetrad = await Tetrad.create(options);
  if (tetrad.capabilities.software) pollPatiently();
  return tetrad;
}
