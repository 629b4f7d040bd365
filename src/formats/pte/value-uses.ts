/** What a delegate's chain says of its values before it is built. */
import type { OperatorCall, VkGraph } from "./vk-graph.ts";

export const PREPACK = "et_vk.prepack.default";
export const SYM_SIZE = "sym_size.int";
export const SELECT_AS_SYMINT = "et_vk.select_as_symint.default";

/** Arguments that operators write in place. */
const WRITTEN_ARGUMENTS: Readonly<Record<string, readonly number[]>> = {
  "sdpa_with_kv_cache.default": [3, 4],
  "update_cache.default": [1],
};

/** Where operators take a position, and the argument whose dimension bounds it. */
const POSITION_ARGUMENTS: Readonly<
  Record<string, { readonly position: number; readonly bound: number; readonly axis: number }>
> = {
  "sdpa_with_kv_cache.default": { position: 5, bound: 3, axis: 1 },
  "update_cache.default": { position: 2, bound: 1, axis: 1 },
  "et_vk.apply_rotary_emb_hf.default": { position: 4, bound: 2, axis: 0 },
};

/** Values written in place: caches. */
export function writtenValues(vk: VkGraph): ReadonlySet<number> {
  const written = new Set<number>();
  for (const { name, args } of vk.chain) {
    for (const index of WRITTEN_ARGUMENTS[name] ?? []) {
      const id = args[index];
      if (id !== undefined) written.add(id);
    }
  }
  return written;
}

/** An integer literal among the values; undefined for anything else. */
export function literalInt(vk: VkGraph, id: number | undefined): number | undefined {
  const value = id === undefined ? undefined : vk.values[id];
  if (value?.kind === "int") return Number(value.value);
  return value?.kind === "double" && Number.isInteger(value.value) ? value.value : undefined;
}

function maxDim(vk: VkGraph, id: number | undefined, axis: number): number | undefined {
  const value = id === undefined ? undefined : vk.values[id];
  return value?.kind === "tensor" ? value.dims.at(axis) : undefined;
}

/** How many positions the users of SymInt `id` have room for; undefined where it is no position. */
export function positionLimit(vk: VkGraph, id: number): number | undefined {
  let limit: number | undefined;
  const bound = (size: number | undefined) => {
    if (size !== undefined) limit = Math.min(limit ?? size, size);
  };
  for (const { name, args } of vk.chain) {
    const use = POSITION_ARGUMENTS[name];
    if (use !== undefined && args[use.position] === id)
      bound(maxDim(vk, args[use.bound], use.axis));
    if (name === "aten.slice_copy.Tensor" && args[2] === id) {
      bound(maxDim(vk, args[0], literalInt(vk, args[1]) ?? 0));
    }
  }
  return limit;
}

/** The dimensions of tensor `id` whose size the chain asks for: those that vary. */
export function measuredAxes(vk: VkGraph, id: number): ReadonlySet<number> {
  const value = vk.values[id];
  const rank = value?.kind === "tensor" ? value.dims.length : 0;
  const axes = new Set<number>();
  for (const { name, args } of vk.chain) {
    if (name !== SYM_SIZE || args[0] !== id) continue;
    const axis = literalInt(vk, args[1]) ?? 0;
    axes.add(axis < 0 ? axis + rank : axis);
  }
  return axes;
}

/** Calls whose result is a tensor computed on the GPU. */
export function isComputed({ name }: OperatorCall): boolean {
  return ![PREPACK, SYM_SIZE, SELECT_AS_SYMINT, "add", "sub", "mul", "floordiv"].includes(name);
}
