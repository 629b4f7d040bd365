/** What must hold for a run, beyond shapes: positions within caches, indices within tables. */
import { RequestError } from "../errors.ts";
import type { Graph, Tensor } from "./ir.ts";
import { lookUpOp } from "./ops/index.ts";
import type { Condition } from "./ops/op.ts";
import { readArguments } from "./ops/op.ts";
import { sameInt } from "./symint.ts";
import type { SymIntValues } from "./symint.ts";

/** Conditions of a graph's operators, each once. */
export function graphConditions(graph: Graph): readonly Condition[] {
  const conditions: Condition[] = [];
  for (const node of graph.nodes) {
    for (const condition of lookUpOp(node.op).conditions?.(readArguments(node)) ?? []) {
      if (!conditions.some((known) => sameCondition(known, condition))) conditions.push(condition);
    }
  }
  return conditions;
}

function sameCondition(a: Condition, b: Condition): boolean {
  if (a.kind === "range" && b.kind === "range") {
    return sameInt(a.value, b.value) && sameInt(a.most, b.most);
  }
  if (a.kind === "indices" && b.kind === "indices") {
    return a.tensor === b.tensor && a.least === b.least && a.most === b.most;
  }
  return false;
}

/**
 * Checks what is known before a run: integers, and the contents of inputs as far as `contents`
 * knows them. Throws `RequestError`.
 */
export function checkConditions(
  graph: string,
  conditions: readonly Condition[],
  values: SymIntValues,
  contents: (tensor: Tensor) => ArrayLike<number> | undefined,
): void {
  for (const condition of conditions) {
    if (condition.kind === "range") {
      const [value, most] = [values.get(condition.value), values.get(condition.most)];
      if (value >= 0 && value <= most) continue;
      throw new RequestError(`${graph}: ${condition.what} is ${value}; allowed: 0 to ${most}`);
    }
    const { tensor, least, most, what } = condition;
    const elements = contents(tensor) ?? [];
    for (let i = 0; i < elements.length; i++) {
      const value = elements[i]!;
      if (value >= least && value <= most) continue;
      throw new RequestError(
        `${graph}: ${what} ${value} in "${tensor.name}"; allowed: ${least} to ${most}`,
      );
    }
  }
}
