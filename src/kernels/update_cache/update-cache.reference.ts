/**
 * {@link updateCache}: a copy of `cache` [positions, row] in which the rows from `position` on are
 * those of `value` [S, row].
 */
export function updateCacheReference(
  cache: Float32Array,
  value: Float32Array,
  position: number,
  row: number,
): Float32Array<ArrayBuffer> {
  const result = Float32Array.from(cache);
  result.set(value, position * row);
  return result;
}
