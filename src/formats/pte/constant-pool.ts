import { FormatError } from "../../errors.ts";
import type { Tensor } from "../../graph/ir.ts";
import type { ByteRange } from "./byte-range.ts";
import { COMPUTED_DTYPE, plainRows } from "./plain-rows.ts";
import { q4Rows } from "./q4-rows.ts";
import { RowSourceCache } from "./row-source-cache.ts";
import type { VkGraph, VkTensor } from "./vk-graph.ts";

/** How the caches that a graph writes in place are kept. */
export interface StateOptions {
  readonly cacheType: "f32" | "f16";
  /** Whether they begin with the file's bytes; otherwise with zeros. */
  readonly initialData: boolean;
  /** Positions they hold, where fewer than in the file; only without initial data. */
  readonly length?: number;
}

/** The planes of a 4-bit matrix. */
export interface Q4Tensors {
  /** u8 [N, pad8(K)/2] */
  readonly weight: Tensor;
  /** f32 or f16 [N, K/group] */
  readonly scales: Tensor;
}

/**
 * The constants and state of one delegate as tensors, each made once: graphs built for different
 * shapes of one delegate share them.
 */
export class ConstantPool {
  readonly #vk: VkGraph;
  readonly #where: string;
  readonly #sources: RowSourceCache;
  readonly #state: StateOptions;
  readonly #tensors = new Map<string, Tensor>();

  constructor(
    vk: VkGraph,
    where: string,
    sources: RowSourceCache = new RowSourceCache(),
    state: StateOptions = { cacheType: "f32", initialData: true },
  ) {
    this.#vk = vk;
    this.#where = where;
    this.#sources = sources;
    this.#state = state;
  }

  /** A constant's tensor and bytes. Throws `FormatError` where the value is no constant. */
  #constant(id: number): { readonly value: VkTensor; readonly range: ByteRange } {
    const value = this.#vk.values[id];
    const index = value?.kind === "tensor" ? value.constantId : undefined;
    const constant = index === undefined ? undefined : this.#vk.constants[index];
    if (value?.kind !== "tensor" || constant === undefined) {
      throw new FormatError(`${this.#where}: value ${id} must be a constant`);
    }
    return { value, range: constant.range };
  }

  #remember(key: string, make: () => Tensor): Tensor {
    let tensor = this.#tensors.get(key);
    if (tensor === undefined) this.#tensors.set(key, (tensor = make()));
    return tensor;
  }

  /** The constant `id`, dense, in the type it is computed in. */
  plain(id: number): Tensor {
    return this.#remember(`plain ${id}`, () => {
      const { value, range } = this.#constant(id);
      const dtype = COMPUTED_DTYPE[value.type];
      const data = this.#sources.get([range], `${value.type} ${dtype} ${value.dims.join()}`, () =>
        plainRows(range, value.dims, value.type, dtype),
      );
      return {
        kind: "tensor",
        name: `constant${value.constantId}`,
        dtype,
        dims: value.dims,
        storage: { kind: "constant", data, plane: 0 },
      };
    });
  }

  /**
   * What the graph writes in place: value `id`, which begins as the constant `initial`. Every value
   * is a tensor of its own, even where the file has their bytes once.
   */
  state(id: number, initial: number): Tensor {
    return this.#remember(`state ${id}`, () => {
      const { value, range } = this.#constant(initial);
      const computed = COMPUTED_DTYPE[value.type];
      const dtype = computed === "f32" ? this.#state.cacheType : computed;
      // Not shared through the cache of sources: state is a copy.
      const data = plainRows(range, value.dims, value.type, dtype);
      const { length } = this.#state;
      return {
        kind: "tensor",
        name: `state${id}`,
        dtype,
        dims: value.dims.map((dim, axis) =>
          axis === 1 && length !== undefined ? Math.min(dim, length) : dim,
        ),
        storage: this.#state.initialData
          ? { kind: "state", initial: { data, plane: 0 } }
          : { kind: "state" },
      };
    });
  }

  /** The planes of a 4-bit matrix; `transposed` where the scales are [groups, pad4(N)]. */
  q4(weightId: number, scalesId: number, transposed: boolean): Q4Tensors {
    const weight = this.#constant(weightId);
    const scales = this.#constant(scalesId);
    const [rows = 0, weightRowBytes = 0] = weight.value.dims;
    // One group a row may come without its dimension.
    const [outer = 0, inner = transposed ? 0 : 1] = scales.value.dims;
    const groups = transposed ? outer : inner;
    this.#checkQ4(weight.value, scales.value, rows, transposed ? inner : outer);
    const scaleType = scales.value.type === "f16" ? "f16" : "f32";
    const stride = transposed ? inner : undefined;
    const form = `q4 ${rows} ${weightRowBytes} ${groups} ${scaleType} ${stride ?? "rows"}`;
    const data = this.#sources.get([weight.range, scales.range], form, () =>
      q4Rows({
        weight: weight.range,
        scales: scales.range,
        rows,
        weightRowBytes,
        groups,
        scaleBytes: scaleType === "f16" ? 2 : 4,
        stride,
      }),
    );
    const name = `constant${weight.value.constantId}`;
    const key = `${weightId} ${scalesId} ${transposed}`;
    return {
      weight: this.#remember(`weight ${key}`, () => ({
        kind: "tensor",
        name,
        dtype: "u8",
        dims: [rows, weightRowBytes],
        storage: { kind: "constant", data, plane: 0 },
      })),
      scales: this.#remember(`scales ${key}`, () => ({
        kind: "tensor",
        name: `${name}.scales`,
        dtype: scaleType,
        dims: [rows, groups],
        storage: { kind: "constant", data, plane: 1 },
      })),
    };
  }

  #checkQ4(weight: VkTensor, scales: VkTensor, rows: number, scaleRows: number): void {
    const shape = ({ type, dims }: VkTensor) => `${type} [${dims.join(", ")}]`;
    if (weight.type !== "u8" || weight.dims.length !== 2 || weight.dims.includes(0)) {
      throw new FormatError(
        `${this.#where}: a 4-bit weight is ${shape(weight)}, must be u8 [N, K/2]`,
      );
    }
    const floats = scales.type === "f32" || scales.type === "f16";
    const rank = scales.dims.length;
    if (!floats || rank < 1 || rank > 2 || scaleRows < rows) {
      throw new FormatError(
        `${this.#where}: scales are ${shape(scales)} for a weight of ${rows} rows`,
      );
    }
  }
}
