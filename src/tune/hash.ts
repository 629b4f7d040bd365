const PRIME = 0x01000193;
/** FNV-1a's offset basis, and another for the second half. */
const SEEDS = [0x811c9dc5, 0x9e3779b9] as const;

/** 16 hexadecimal digits that differ for different texts, but for accidents: no defence. */
export function hashText(text: string): string {
  return SEEDS.map((seed: number) => {
    let hash = seed;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
      hash ^= hash >>> 15;
    }
    return (hash >>> 0).toString(16).padStart(8, "0");
  }).join("");
}
