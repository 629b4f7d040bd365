import { measuredAxes } from "./value-uses.ts";
import type { VkGraph } from "./vk-graph.ts";

/** A dimension of an input: a fixed size, or the name of the symbol that sizes it. */
export type InputDim = number | { readonly symbol: string; readonly max: number };

/**
 * The dims of a delegate's inputs. A file says which inputs vary (`bounded`, one an input), but not
 * in which dimensions: those whose size the chain asks for become symbols. Where it asks for none of
 * an input's, a dimension with the same bound as the only such symbol is taken to be it (the keys
 * and values next to a query). The rest is fixed, at `actual` sizes where they are given: a graph is
 * built for each.
 */
export function inputShapes(
  vk: VkGraph,
  bounded: readonly boolean[],
  actual?: readonly (readonly number[])[],
): readonly (readonly InputDim[])[] {
  const symbols: { readonly symbol: string; readonly max: number }[] = [];
  const measured = vk.inputIds.map((id, input) => {
    const axes = bounded[input] === true ? measuredAxes(vk, id) : new Set<number>();
    const value = vk.values[id];
    const dims = value?.kind === "tensor" ? value.dims : [];
    return dims.map((max, axis): InputDim | undefined => {
      if (!axes.has(axis)) return undefined;
      const symbol = { symbol: `size${axis}_of_input${input}`, max };
      symbols.push(symbol);
      return symbol;
    });
  });
  return measured.map((found, input) => {
    const value = vk.values[vk.inputIds[input]!];
    const dims = value?.kind === "tensor" ? value.dims : [];
    const free = bounded[input] === true && found.every((dim) => dim === undefined);
    return found.map((dim, axis): InputDim => {
      if (dim !== undefined) return dim;
      const max = dims[axis] ?? 1;
      const same = symbols.filter((symbol) => symbol.max === max);
      if (free && max > 1 && same.length === 1) return same[0]!;
      return bounded[input] === true ? (actual?.[input]?.[axis] ?? max) : max;
    });
  });
}
