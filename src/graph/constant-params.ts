import { RequestError } from "../errors.ts";
import type { Kernel } from "../gpu/kernel.ts";
import { SymIntValues } from "./symint.ts";

/** A kernel's Params by name. */
export type ParamValues = Readonly<Record<string, number>>;

/** What a dispatch's Params depend on. */
interface ParamSource {
  readonly kernel: Kernel;
  readonly live: (values: SymIntValues) => unknown;
  readonly params: (live: unknown) => ParamValues;
}

/** Params that follow no live size; undefined where they do. */
function unchanging({ kernel, live, params }: ParamSource): ParamValues | undefined {
  if (kernel.params.length === 0) return undefined;
  try {
    return params(live(new SymIntValues()));
  } catch (error) {
    // It asked for a size, and none is set.
    if (error instanceof RequestError) return undefined;
    throw error;
  }
}

/**
 * For each dispatch, the Params that its kernel may be compiled with: those that never change and are the
 * same wherever the plan uses the kernel, so that no kernel is compiled twice for it.
 */
export function constantParams(
  dispatches: readonly ParamSource[],
): readonly (ParamValues | undefined)[] {
  // Sources are long and dispatches many: each is looked at once, and not escaped.
  const keys = dispatches.map(
    ({ kernel }) => `${JSON.stringify(kernel.overrides)} ${kernel.source}`,
  );
  const values = dispatches.map(unchanging);
  const uses = new Map<string, Set<string>>();
  values.forEach((params, index) => {
    const key = keys[index] ?? "";
    const known = uses.get(key) ?? new Set();
    uses.set(key, known.add(JSON.stringify(params)));
  });
  return values.map((params, index) =>
    uses.get(keys[index] ?? "")?.size === 1 ? params : undefined,
  );
}
