/** Entry point in Node. */
import type { TetradOptions } from "./api.ts";
import { findGpu } from "./platform/node/gpu.ts";
import { openSource } from "./platform/node/open-source.ts";
import { tuningStore } from "./platform/node/tuning-store.ts";
import { TetradRuntime } from "./tetrad.ts";
import type { Platform } from "./tetrad.ts";

export * from "./public.ts";

const platform: Platform = {
  findGpu: ({ onWarning, ...options }) =>
    findGpu({ ...options, ...(onWarning === undefined ? {} : { onFallback: onWarning }) }),
  openSource,
  wgslFeatures: () => navigator.gpu?.wgslLanguageFeatures ?? new Set(),
  tuningStore,
};

/** The runtime: a GPU and the models on it. */
export class Tetrad extends TetradRuntime {
  /**
   * Finds a GPU and makes a device of it: the machine's own, else a software adapter from npm.
   * Rejects with `DeviceError` ("unavailable") where there is none.
   */
  static async create(options: TetradOptions = {}): Promise<Tetrad> {
    return new Tetrad(await TetradRuntime.acquire(platform, options), platform, options);
  }
}
