import { DeviceError } from "../errors.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import type { Grid, Kernel } from "../gpu/kernel.ts";
import type { Work } from "../gpu/work.ts";
import { DTYPE_BYTES, maxByteLength } from "./ir.ts";
import type { Graph, Tensor } from "./ir.ts";
import { liveNodes } from "./live-nodes.ts";
import { planMemory } from "./memory-planner.ts";
import type { Lifetime } from "./memory-planner.ts";
import { lookUpOp } from "./ops/index.ts";
import type { Call, Operand, Shard } from "./ops/op.ts";
import { shardRows } from "./sharding.ts";
import type { IntLike, SymIntValues } from "./symint.ts";
import { tunableCalls } from "./tunable-calls.ts";
import type { TunableCall, Tuning } from "./tuning.ts";
import { constantParams } from "./constant-params.ts";
import type { ParamValues } from "./constant-params.ts";
import { workOf } from "./work.ts";

/** What a binding refers to. The executor turns these into GPU buffers. */
export type BufferReference =
  /** Memory shared by liveness. */
  | { readonly kind: "slot"; readonly slot: number }
  /** A tensor with a buffer of its own: an input, an output, state. */
  | { readonly kind: "tensor"; readonly tensor: Tensor; readonly byteOffset: number }
  /** Rows of a constant. */
  | {
      readonly kind: "constant";
      readonly tensor: Tensor;
      readonly shard: number;
      readonly byteOffset: number;
    }
  /** An integer the executor writes before a run. */
  | { readonly kind: "int"; readonly value: IntLike };

/** One dispatch: what is bound for good, and what follows the live sizes. */
export interface PlannedDispatch {
  readonly label: string;
  readonly kernel: Kernel;
  /** By WGSL name, uniforms apart. */
  readonly bindings: Readonly<Record<string, BufferReference>>;
  readonly live: (values: SymIntValues) => unknown;
  readonly params: (live: unknown) => ParamValues;
  /** What `params` are in every run: the kernel may be compiled with them. */
  readonly constantParams?: ParamValues | undefined;
  readonly grid: (live: unknown) => Grid;
  /** What there is to do at the least, at the live sizes. */
  readonly work: (values: SymIntValues) => Work;
}

/** A graph made ready for a device: dispatches in order, and the memory they share. */
export interface Plan {
  readonly name: string;
  readonly dispatches: readonly PlannedDispatch[];
  /** Bytes of each slot. */
  readonly slotBytes: readonly number[];
  /** Tensors with buffers of their own, outputs included. */
  readonly tensors: readonly Tensor[];
  readonly constants: readonly Tensor[];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Which kernels serve each operator, for `tetrad devices` and tests. */
  readonly routes: readonly { readonly op: string; readonly route: string }[];
  /** Calls whose candidates a device could be asked to choose from, one for each key. */
  readonly tunables: readonly TunableCall[];
}

/** Calls of a plan and the tensors whose bytes are another's. */
interface Lowered {
  readonly calls: readonly Call[];
  readonly ops: readonly string[];
  readonly aliases: ReadonlyMap<Tensor, Tensor>;
}

function lower(graph: Graph, capabilities: Capabilities, tuning: Tuning): Lowered {
  const aliases = new Map<Tensor, Tensor>();
  const calls: Call[] = [];
  const ops: string[] = [];
  const shards = (tensor: Tensor): readonly Shard[] => shardRows(tensor, capabilities);
  for (const node of liveNodes(graph)) {
    const op = lookUpOp(node.op);
    const aliased = op.alias?.(node);
    const [result] = node.results;
    if (aliased !== undefined && result !== undefined) {
      aliases.set(result, aliases.get(aliased) ?? aliased);
      continue;
    }
    for (const lowered of op.lower(node, { capabilities, tuning, shards })) {
      calls.push(lowered);
      ops.push(node.op);
    }
  }
  return { calls, ops, aliases };
}

/**
 * Chooses a kernel for every node, lays out memory by liveness and yields the dispatches. Pure: it
 * touches no GPU; what was measured on one comes as `tuning`. Throws `UnsupportedError` for what no kernel serves and `DeviceError` for what
 * the device's limits forbid.
 */
export function planGraph(
  graph: Graph,
  capabilities: Capabilities,
  tuning: Tuning = new Map(),
): Plan {
  const { calls, ops, aliases } = lower(graph, capabilities, tuning);
  const root = (tensor: Tensor): Tensor => aliases.get(tensor) ?? tensor;
  const outputs = new Set(graph.outputs.map(root));

  // Activations and scratch share slots; the rest has buffers of its own.
  const lifetimes: Lifetime[] = [];
  const indexOf = new Map<Tensor, number>();
  const scratchOf = calls.map((call, index) =>
    Object.entries(call.route.scratch).map(([name, bytes]) => {
      lifetimes.push({ bytes, first: index, last: index });
      return [name, lifetimes.length - 1] as const;
    }),
  );
  const own = new Set<Tensor>(outputs);
  const constants = new Set<Tensor>();
  calls.forEach(({ operands }, index) => {
    for (const operand of Object.values(operands)) {
      if ("int" in operand) {
        const tensor = heldBy(operand.int);
        if (tensor !== undefined) own.add(tensor);
        continue;
      }
      const tensor = root("tensor" in operand ? operand.tensor : operand);
      if (tensor.storage.kind === "constant") {
        if (!("shard" in operand)) requireOneShard(tensor, ops[index]!, capabilities);
        constants.add(tensor);
      } else if (tensor.storage.kind !== "activation" || outputs.has(tensor)) own.add(tensor);
      else {
        const known = indexOf.get(tensor);
        if (known === undefined) {
          indexOf.set(tensor, lifetimes.length);
          lifetimes.push({ bytes: maxByteLength(tensor), first: index, last: index });
        } else lifetimes[known] = { ...lifetimes[known]!, last: index };
      }
    }
  });
  const memory = planMemory(lifetimes);

  const reference = (operand: Operand): BufferReference => {
    if ("int" in operand) {
      const tensor = heldBy(operand.int);
      return tensor === undefined
        ? { kind: "int", value: operand.int }
        : { kind: "tensor", tensor, byteOffset: 0 };
    }
    const tensor = root("tensor" in operand ? operand.tensor : operand);
    const byteOffset = "byteOffset" in operand ? operand.byteOffset : 0;
    const { storage } = tensor;
    if (storage.kind === "constant") {
      const { firstRow = 0, data, plane } = storage;
      return {
        kind: "constant",
        tensor,
        shard: "shard" in operand ? operand.shard : 0,
        byteOffset: byteOffset + firstRow * (data.planeRowBytes[plane] ?? 0),
      };
    }
    const index = indexOf.get(tensor);
    return index === undefined
      ? { kind: "tensor", tensor, byteOffset }
      : { kind: "slot", slot: memory.slotOf[index]! };
  };

  const planned = calls.flatMap((call, index) => {
    const named = new Map<string, BufferReference>();
    for (const [name, operand] of Object.entries(call.operands))
      named.set(name, reference(operand));
    for (const [name, lifetime] of scratchOf[index]!) {
      named.set(name, { kind: "slot", slot: memory.slotOf[lifetime]! });
    }
    return call.route.dispatches.map((template): PlannedDispatch => ({
      label: template.kernel.label,
      kernel: template.kernel,
      bindings: Object.fromEntries(
        Object.entries(template.bind).map(([binding, name]) => {
          const found = named.get(name);
          if (found === undefined) {
            throw new Error(`plan: ${call.route.name}: no operand "${name}" for "${binding}"`);
          }
          return [binding, found];
        }),
      ),
      live: call.live,
      params: template.params,
      grid: template.grid,
      work: (values) => workOf(template, call, values, capabilities),
    }));
  });
  const fixed = constantParams(planned);
  const dispatches = planned.map((dispatch, i) => ({ ...dispatch, constantParams: fixed[i] }));
  checkSizes(own, memory.slotBytes, capabilities);
  return {
    name: graph.name,
    dispatches,
    slotBytes: memory.slotBytes,
    tensors: [...own],
    constants: [...constants],
    inputs: graph.inputs,
    outputs: graph.outputs.map(root),
    routes: calls.map((call, index) => ({ op: ops[index]!, route: call.route.name })),
    tunables: tunableCalls(calls, capabilities),
  };
}

/** The i32 tensor of one element that holds a root's value on the GPU. */
function heldBy(value: IntLike): Tensor | undefined {
  if (typeof value === "number" || value.kind !== "root") return undefined;
  const tensor = value.element?.tensor as Tensor | undefined;
  return tensor?.dtype === "i32" && maxByteLength(tensor) === DTYPE_BYTES.i32 ? tensor : undefined;
}

/** Operators that bind a constant whole cannot use one that had to be split. */
function requireOneShard(tensor: Tensor, op: string, capabilities: Capabilities): void {
  const { length } = shardRows(tensor, capabilities);
  if (length === 1) return;
  throw new DeviceError(
    "memory",
    `plan: ${op}: "${tensor.name}" has ${maxByteLength(tensor)} bytes, which this device cannot ` +
      `bind at once; only 4-bit matrices may be larger`,
  );
}

function checkSizes(
  tensors: Iterable<Tensor>,
  slotBytes: readonly number[],
  { limits }: Capabilities,
): void {
  const limit = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const refuse = (what: string, bytes: number, advice: string) => {
    throw new DeviceError(
      "memory",
      `plan: ${what} needs ${bytes} bytes; the device binds at most ${limit} at once. ${advice}`,
    );
  };
  for (const tensor of tensors) {
    const bytes = maxByteLength(tensor);
    if (bytes > limit) {
      refuse(`"${tensor.name}"`, bytes, "A shorter context makes it smaller.");
    }
  }
  for (const bytes of slotBytes) {
    if (bytes > limit) refuse("an intermediate result", bytes, "A smaller prompt chunk helps.");
  }
}
