import { FormatError } from "../../errors.ts";
import { maxOf } from "../../graph/symint.ts";
import type { IntLike } from "../../graph/symint.ts";

/**
 * Dims as inferred, checked against the file's, which are upper bounds: where inference cannot see
 * how large a size may get, the bound comes from the file. `exact` is false where fixed sizes may be
 * smaller than the file's. Throws `FormatError` where both disagree.
 */
export function inferredDims(
  inferred: readonly IntLike[],
  stored: readonly number[],
  exact: boolean,
): IntLike[] {
  const disagree = () =>
    new FormatError(
      `a result is [${inferred.map(maxOf).join(", ")}], in the file [${stored.join(", ")}]`,
    );
  if (inferred.length !== stored.length) throw disagree();
  return inferred.map((dim, axis) => {
    const max = stored[axis] ?? 1;
    if (typeof dim === "number") {
      if (dim > max || (exact && dim !== max)) throw disagree();
      return dim;
    }
    return dim.kind === "expression" && dim.max > max ? { ...dim, max } : dim;
  });
}
