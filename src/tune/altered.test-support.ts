import type { Candidate } from "../kernels/shared/tunable.ts";

/** A candidate with its shaders changed. */
export function altered(
  { route }: Candidate<unknown>,
  name: string,
  change: (wgsl: string) => string,
): Candidate<unknown> {
  const make = () => {
    const made = route();
    const dispatches = made.dispatches.map((dispatch) => ({
      ...dispatch,
      kernel: { ...dispatch.kernel, source: change(dispatch.kernel.source) },
    }));
    return { ...made, dispatches };
  };
  return { name, route: make };
}
