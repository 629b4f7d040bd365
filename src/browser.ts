/** Entry point in browsers. */
import type { TetradOptions } from "./api.ts";
import { findGpu } from "./platform/browser/gpu.ts";
import { openSource } from "./platform/browser/open-source.ts";
import { tuningStore } from "./platform/browser/tuning-store.ts";
import { TetradRuntime } from "./tetrad.ts";
import type { Platform } from "./tetrad.ts";

export * from "./public.ts";

const platform: Platform = {
  findGpu: ({ onWarning, ...options }) =>
    findGpu({ ...options, ...(onWarning === undefined ? {} : { onFallback: onWarning }) }),
  openSource,
  wgslFeatures: () => navigator.gpu.wgslLanguageFeatures,
  tuningStore,
};

/** The runtime: a GPU and the models on it. */
export class Tetrad extends TetradRuntime {
  /**
   * Asks the browser for a GPU and makes a device of it. Rejects with `DeviceError`
   * ("unavailable") where it offers none.
   */
  static async create(options: TetradOptions = {}): Promise<Tetrad> {
    return new Tetrad(await TetradRuntime.acquire(platform, options), platform, options);
  }
}
