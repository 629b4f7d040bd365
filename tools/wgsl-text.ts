/**
 * Imports `.wgsl` files as text, the same way in Vite, Vitest and tsdown: a shader stays a plain
 * file that editors highlight and validate.
 */
export function wgslText() {
  return {
    name: "wgsl-text",
    transform(source: string, id: string) {
      if (!id.endsWith(".wgsl")) return undefined;
      return {
        code: `export default ${JSON.stringify(source)};`,
        map: null,
        moduleType: "js" as const,
      };
    },
  };
}
