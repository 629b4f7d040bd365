import type { Capabilities } from "../../gpu/capabilities.ts";
import type { Kernel } from "../../gpu/kernel.ts";

/**
 * Subgroup matrices for adapters without them, so that the index arithmetic of kernels that use them
 * is tested everywhere. Of every 32 lanes of a workgroup, lanes 2 r and 2 r + 1 hold row r of a left
 * operand, and each a half of that row of a sum. A right operand is only where it lies: it is read when it
 * is multiplied, so memory must stay as it is until then. What this does not show is how a GPU's own
 * matrices round, and what they do out of bounds.
 */

const SUBGROUP_SIZE = 32;
const SMALL_STORAGE = 16_384;

/** What a lane holds of a matrix. */
const MEMBERS: Readonly<Record<string, string>> = {
  left: "pairs: array<u32, 8>",
  right: "place: EmulatedPlace",
  result: "low: vec4<f32>, high: vec4<f32>",
};

const ALIAS = /^alias (\w+) = subgroup_matrix_(left|right|result)<(?:f16|f32), 16, 16>;$/gm;
const DECLARATION = /var<(?:workgroup|storage[^>]*)> (\w+): (array<.*>);/g;
const LOAD = /subgroupMatrixLoad<(\w+), (row|col)_major>\(\s*&(\w+)(?:\[([^\]]*)\])?,/g;
const STORE = /subgroupMatrixStore<row_major>\(\s*&(\w+)(?:\[([^\]]*)\])?,/g;

/** Whether a kernel uses subgroup matrices. */
export const usesMatrices = ({ source }: Kernel): boolean =>
  source.includes("chromium_experimental_subgroup_matrix");

/**
 * A device as if it were a GPU with subgroup matrices; undefined where it has them, or lacks what the
 * kernels need besides. Its workgroup memory is the least that WebGPU knows, unless `large`: kernels with
 * large tiles are longer, and take a CPU's compiler minutes.
 */
export function emulatedMatrixCapabilities(
  capabilities: Capabilities,
  large: boolean,
): Capabilities | undefined {
  const { f16, subgroups, subgroupMatrices, limits } = capabilities;
  const most = large ? limits.maxComputeWorkgroupStorageSize : SMALL_STORAGE;
  if (!f16 || subgroups === undefined || subgroupMatrices.length > 0) return undefined;
  return {
    ...capabilities,
    software: false,
    subgroups: { minSize: SUBGROUP_SIZE, maxSize: SUBGROUP_SIZE },
    subgroupMatrices: [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 }],
    limits: { ...limits, maxComputeWorkgroupStorageSize: most },
  };
}

/** An array that matrices lie in. */
interface MatrixArray {
  readonly name: string;
  readonly element: string;
  /** It is an array of slabs. */
  readonly nested: boolean;
}

/** Operands or sums: the name of their type, and the ways they are loaded. */
interface MatrixType {
  readonly name: string;
  readonly half: boolean;
  readonly loads: { readonly array: MatrixArray; readonly major: string }[];
}

function parseArrays(source: string): Map<string, MatrixArray> {
  const arrays = new Map<string, MatrixArray>();
  for (const [, name = "", type = ""] of source.matchAll(DECLARATION)) {
    const element = /^(?:array<)+(vec4<\w+>|\w+)/.exec(type)?.[1] ?? "";
    arrays.set(name, { name, element, nested: type.startsWith("array<array<") });
  }
  return arrays;
}

/** Components of a matrix in an element of an array, and how component `part` of `value` is read. */
function componentsOf(element: string, half: boolean): { count: number; read: string } {
  if (element === "f32") return { count: 1, read: "value" };
  if (element === "vec4<f32>") return { count: 4, read: "value[part]" };
  if (element === "vec4<u32>") {
    return half
      ? { count: 8, read: "unpack2x16float(value[part / 2u])[part % 2u]" }
      : { count: 4, read: "bitcast<f32>(value[part])" };
  }
  throw new Error(`emulated matrices: elements ${element} are not supported`);
}

const elementAt = ({ name, nested }: MatrixArray, count: number): string =>
  `${name}${nested ? "[slab]" : ""}[at / ${count}u]`;

/** Reads one component of a matrix that lies in one of several arrays. */
function readFunction({ name, half, loads }: MatrixType): string {
  const cases = loads.map(({ array, major }, index) => {
    const { count, read } = componentsOf(array.element, half);
    const [line, place] = major === "row" ? ["row", "column"] : ["column", "row"];
    return `
    case ${index}u: {
      let at = (matrix.offset + ${line} * matrix.stride) * ${count}u + ${place};
      let value = ${elementAt(array, count).replace("slab", "matrix.slab")};
      let part = at % ${count}u;
      return ${read};
    }`;
  });
  return `
fn emulated_read_${name}(matrix: EmulatedPlace, row: u32, column: u32) -> f32 {
  switch (matrix.source) {${cases.join("")}
    default: {
      return 0.0;
    }
  }
}`;
}

function storeFunction(name: string, sums: string, to: MatrixArray): string {
  const { count } = componentsOf(to.element, false);
  const target = `${elementAt(to, count)}${count > 1 ? `[at % ${count}u]` : ""}`;
  return `
fn ${name}(slab: u32, offset: u32, sums: ${sums}, stride: u32) {
  for (var i = 0u; i < emulated_side / 2u; i++) {
    let column = 8u * (emulated_lane % 2u) + i;
    let at = (offset + emulated_lane / 2u * stride) * ${count}u + column;
    var value = sums.low[i % 4u];
    if (i >= 4u) {
      value = sums.high[i % 4u];
    }
    ${target} = ${to.element === "vec4<u32>" ? "bitcast<u32>(value)" : "value"};
  }
}`;
}

const mathFunctions = (left: string, right: string, sums: string): string => `
struct EmulatedPlace { source: u32, slab: u32, offset: u32, stride: u32 }
var<private> emulated_lane: u32;
var<private> emulated_subgroup: u32;
// 16, but compilers do not know and leave loops as they are; unrolled, they would take minutes.
var<workgroup> emulated_side: u32;
fn emulated_load_sums(place: EmulatedPlace) -> ${sums} {
  var result: ${sums};
  for (var i = 0u; i < emulated_side / 4u; i++) {
    let column = 8u * (emulated_lane % 2u) + i;
    result.low[i] = emulated_read_${sums}(place, emulated_lane / 2u, column);
    result.high[i] = emulated_read_${sums}(place, emulated_lane / 2u, column + 4u);
  }
  return result;
}
fn emulated_multiply_accumulate(left: ${left}, right: ${right}, sums: ${sums}) -> ${sums} {
  var result = sums;
  for (var k = 0u; k < emulated_side; k++) {
    let factor = unpack2x16float(left.pairs[k / 2u])[k % 2u];
    for (var i = 0u; i < emulated_side / 4u; i++) {
      let column = 8u * (emulated_lane % 2u) + i;
      result.low[i] += factor * emulated_read_${right}(right.place, k, column);
      result.high[i] += factor * emulated_read_${right}(right.place, k, column + 4u);
    }
  }
  return result;
}`;

/** The kernel with its matrices emulated; any other as it is. */
export function emulateMatrices(kernel: Kernel): Kernel {
  if (!usesMatrices(kernel)) return kernel;
  const { source } = kernel;
  const arrays = parseArrays(source);
  const types = new Map<string, MatrixType>();
  const names: Record<string, string> = {};
  const stores = new Map<string, string>();
  const named = <T>(things: ReadonlyMap<string, T>, name: string): T => {
    const thing = things.get(name);
    if (thing === undefined) throw new Error(`emulated matrices: what is "${name}"?`);
    return thing;
  };

  let emulated = source
    .replace(/^(?:enable chromium_experimental_subgroup_matrix|diagnostic\([^)]*\));$/gm, "")
    .replace(ALIAS, (_line, name: string, use: string) => {
      types.set(name, { name, half: use !== "result", loads: [] });
      names[use] = name;
      return `struct ${name} { ${MEMBERS[use] ?? ""} }`;
    })
    .replace(LOAD, (_call, matrix: string, major: string, array: string, slab = "0u") => {
      const { half, loads } = named(types, matrix);
      let index = loads.findIndex((load) => load.array.name === array && load.major === major);
      if (index < 0) index = loads.push({ array: named(arrays, array), major }) - 1;
      const make = half ? `emulated_operand_${matrix}` : "emulated_sums";
      return `${make}(${index}u, ${slab},`;
    })
    .replace(STORE, (_call, array: string, slab = "0u") => {
      const name = `emulated_store_${array}`;
      stores.set(name, storeFunction(name, names["result"] ?? "", named(arrays, array)));
      return `${name}(${slab},`;
    })
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "emulated_multiply_accumulate(");

  const lane = /@builtin\(local_invocation_index\) (\w+)/.exec(source)?.[1] ?? "";
  const locals = [
    "emulated_side = 16u;",
    "workgroupBarrier();",
    `emulated_lane = ${lane} % ${SUBGROUP_SIZE}u;`,
    `emulated_subgroup = ${lane} / ${SUBGROUP_SIZE}u;`,
  ];
  for (const [builtin, variable] of [
    ["subgroup_id", "emulated_subgroup"],
    ["subgroup_invocation_id", "emulated_lane"],
  ] as const) {
    const parameter = new RegExp(`\\s*@builtin\\(${builtin}\\) (\\w+): u32,`);
    emulated = emulated.replace(parameter, (_parameter, name: string) => {
      locals.push(`let ${name} = ${variable};`);
      return "";
    });
  }
  emulated = emulated.replace(/(fn main\([^{]*\{)/, `$1\n  ${locals.join("\n  ")}`);
  const { left = "", right = "", result = "" } = names;
  const operands = `
fn emulated_operand_${left}(source: u32, slab: u32, offset: u32, stride: u32) -> ${left} {
  let place = EmulatedPlace(source, slab, offset, stride);
  let row = emulated_lane / 2u;
  var result: ${left};
  for (var i = 0u; i < emulated_side / 2u; i++) {
    result.pairs[i] = pack2x16float(vec2<f32>(
      emulated_read_${left}(place, row, 2u * i),
      emulated_read_${left}(place, row, 2u * i + 1u),
    ));
  }
  return result;
}
fn emulated_operand_${right}(source: u32, slab: u32, offset: u32, stride: u32) -> ${right} {
  return ${right}(EmulatedPlace(source, slab, offset, stride));
}`;
  const sums = `
fn emulated_sums(source: u32, slab: u32, offset: u32, stride: u32) -> ${result} {
  return emulated_load_sums(EmulatedPlace(source, slab, offset, stride));
}`;
  const reads = [...types.values()].map(readFunction);
  const code = [emulated, mathFunctions(left, right, result), operands, sums, ...reads];
  return { ...kernel, source: [...code, ...stores.values()].join("\n") };
}
