/** The sampler's settings as its kernel reads them, for layers that do not see kernels. */
export { encodeSampling, SAMPLING_WORDS } from "../kernels/sample/sample.ts";
