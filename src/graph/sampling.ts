/** The sampler's settings as its kernel reads them, for layers that do not see kernels. */
export {
  ALL_FILTERS,
  encodeSampling,
  filtersOf,
  SAMPLING_WORDS,
} from "../kernels/sample/sample.ts";
export type { SamplerMode } from "../kernels/sample/sample.ts";
